import type { AddressInfo } from "node:net";
import { fastify } from "fastify";
import type { Registry } from "prom-client";
import { type DebugOptions, registerDebugRoutes } from "./debug/debug-routes.ts";

/** Serves `/metrics`, and what helps to debug where that is given, in plain HTTP. Resolves once it listens. */
export async function startMetricsServer(
  registry: Registry,
  { debug, ...listening }: { readonly host: string; readonly port: number; readonly debug?: DebugOptions },
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const app = fastify({ bodyLimit: 1024, requestTimeout: 10_000, forceCloseConnections: true });
  app.get("/metrics", async (_request, reply) => {
    void reply.type(registry.contentType);
    return registry.metrics();
  });
  if (debug) registerDebugRoutes(app, debug);
  await app.listen(listening);
  return { port: (app.server.address() as AddressInfo).port, stop: () => app.close() };
}

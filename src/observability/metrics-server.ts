import type { AddressInfo } from "node:net";
import { fastify } from "fastify";
import type { Registry } from "prom-client";

/** Serves `/metrics` in plain HTTP. Resolves once it listens. */
export async function startMetricsServer(
  registry: Registry,
  options: { readonly host: string; readonly port: number },
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const app = fastify({ bodyLimit: 1024, requestTimeout: 10_000, forceCloseConnections: true });
  app.get("/metrics", async (_request, reply) => {
    void reply.type(registry.contentType);
    return registry.metrics();
  });
  await app.listen(options);
  return { port: (app.server.address() as AddressInfo).port, stop: () => app.close() };
}

import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import type { CoreEvent } from "../../core/events.ts";
import { endpoint, testCompiler } from "../../core/test-support/test-plan.ts";
import type { PluginInstance } from "../../core/plugin.ts";
import { openaiParser } from "../../plugins/parsers/openai-parser.ts";
import { passthroughParser } from "../../plugins/parsers/passthrough-parser.ts";
import { CoreDriver } from "../core-driver.ts";
import { startGateway, type Gateway, type GatewayOptions } from "../gateway.ts";

/** A real HTTP server in a pod's place, with what it was asked. */
export interface FakePod {
  readonly port: number;
  readonly requests: { method: string; url: string; rawHeaders: readonly string[]; body: string }[];
  readonly server: Server;
}

/** Starts a server that reads each request whole and then lets `answer` speak. */
export async function startFakePod(answer: RequestListener): Promise<FakePod> {
  const requests: FakePod["requests"] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      requests.push({ method: request.method!, url: request.url!, rawHeaders: request.rawHeaders, body });
      answer(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, requests, server };
}

/** A port on which nothing listens. */
export async function deadPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export interface Fixture {
  readonly gateway: Gateway;
  readonly url: string;
  readonly driver: CoreDriver;
  readonly events: CoreEvent[];
  /** Requests that the core still holds a reservation for. */
  reserved(): number;
  /** Resolves when an event of this type (and cause) has entered the core. */
  seen(type: CoreEvent["type"], cause?: string): Promise<CoreEvent>;
  /** Resolves when no request is left in the gateway. */
  idle(): Promise<void>;
}

const start = performance.now();

/** A gateway over a core with a plan of its own: least in flight first, the parsers of the project. */
export async function startFixture(
  ports: readonly number[],
  options: Partial<GatewayOptions> & { extra?: readonly PluginInstance[] } = {},
): Promise<Fixture> {
  const events: CoreEvent[] = [];
  const waiting: { type: string; cause: string | undefined; resolve: (event: CoreEvent) => void }[] = [];
  const compile = testCompiler(() => options.extra ?? []);
  const driver = new CoreDriver({
    compile: (source, context) => ({
      ...compile(source, context),
      parsers: [openaiParser, passthroughParser],
      headerNames: ["x-llm-d-model-name-rewrite"],
      tokenizes: true,
    }),
    seed: 1,
    nowUs: () => Math.floor((performance.now() - start) * 1000),
    record: (event) => {
      events.push(event);
      for (const [i, wait] of waiting.entries()) {
        if (!matches(event, wait.type, wait.cause)) continue;
        waiting.splice(i, 1);
        wait.resolve(event);
        break;
      }
    },
  });
  driver.load({ text: "", options: {} });
  for (const [i, port] of ports.entries()) driver.upsert(endpoint(`pod-${i}`, "127.0.0.1", port));
  const gateway = await startGateway({ driver, host: "127.0.0.1", port: 0, ...options });
  onTestFinished(async () => {
    await gateway.stop(0);
    driver.close();
  });
  const counting = driver.core.plan.plugins[0].plugin as unknown as { total(): number };
  return {
    gateway,
    url: `http://127.0.0.1:${gateway.port}`,
    driver,
    events,
    reserved: () => counting.total(),
    seen: (type, cause) => {
      const known = events.find((event) => matches(event, type, cause));
      return known ? Promise.resolve(known) : new Promise((resolve) => waiting.push({ type, cause, resolve }));
    },
    idle: async () => {
      while (gateway.requestCount > 0) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

const matches = (event: CoreEvent, type: string, cause: string | undefined): boolean =>
  event.type === type && (cause === undefined || (event.type === "requestEnded" && event.cause === cause));

export const chatBody = (text = "hello", more: object = {}): string =>
  JSON.stringify({ model: "m", messages: [{ role: "user", content: text }], ...more });

/** Values of a header in raw headers. */
export function headerValues({ rawHeaders }: { readonly rawHeaders: readonly string[] }, name: string): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1].toLowerCase() === name);
}

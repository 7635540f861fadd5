import { readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fastify } from "fastify";
import type { DemoState } from "./demo-state.ts";

export interface DemoPage {
  readonly url: string;
  /** Tells all open pages what is new. */
  tell(): void;
  stop(): Promise<void>;
}

/** Pages that may listen at once: 503 for one more. */
const LISTENERS_MAX = 64;
/** A page that is so far behind is cut off; it comes back by itself and gets everything anew. */
const UNSENT_BYTES_MAX = 1024 * 1024;
const HEARTBEAT_MS = 15_000;
const FILES = {
  "/": ["demo.html", "text/html; charset=utf-8"],
  "/demo.css": ["demo.css", "text/css; charset=utf-8"],
  "/demo.js": ["demo.js", "text/javascript; charset=utf-8"],
} as const;
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};

/** Serves the live page: three files of its own and a stream of server-sent events. Resolves once it listens. */
export async function startDemoPage(state: DemoState, host: string, port: number): Promise<DemoPage> {
  const listeners = new Set<ServerResponse>();
  const app = fastify({ bodyLimit: 1024, requestTimeout: 10_000, forceCloseConnections: true });
  app.addHook("onSend", async (_request, reply) => void reply.headers(HEADERS));
  for (const [path, [file, type]] of Object.entries(FILES)) {
    const text = await readFile(new URL(`../../observability/demo-page/${file}`, import.meta.url), "utf8");
    app.get(path, async (_request, reply) => reply.type(type).send(text));
  }
  app.get("/result.json", async (_request, reply) => {
    const { result } = state.view();
    return result ? reply.send(result) : reply.code(404).send({ error: "Cannot give the result: the run goes on" });
  });
  app.get("/events", (_request, reply) => {
    if (listeners.size >= LISTENERS_MAX) {
      void reply.code(503).send({ error: `Cannot open the stream: ${LISTENERS_MAX} pages listen already` });
      return;
    }
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, { ...HEADERS, "content-type": "text/event-stream", connection: "keep-alive" });
    raw.write(event("view", state.view()));
    listeners.add(raw);
    raw.once("close", () => listeners.delete(raw));
  });
  const send = (text: string): void => {
    for (const listener of listeners) {
      if (listener.writableLength > UNSENT_BYTES_MAX) listener.destroy();
      else listener.write(text);
    }
  };
  const heartbeat = setInterval(() => send(": alive\n\n"), HEARTBEAT_MS);
  await app.listen({ host, port });
  return {
    url: `http://${host}:${(app.server.address() as AddressInfo).port}/`,
    tell: () => send(event("tick", state.tick())),
    stop: () => {
      clearInterval(heartbeat);
      return app.close();
    },
  };
}

const event = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

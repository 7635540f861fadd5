import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { EngineSignals } from "../engine/engine-types.ts";
import { ApiError } from "./api-error.ts";
import type { PodFaults } from "./faults.ts";
import type { PodSettings } from "./pod-options.ts";
import { answerError, POD_ROUTES } from "./pod-routes.ts";
import { PodState } from "./pod-state.ts";

/** A simulated vLLM pod: an HTTP server over one engine. */
export interface Pod {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** `http://HOST:PORT`. */
  readonly url: string;
  /** The engine's state and counters as of now. */
  signals(): EngineSignals;
  /** What it does wrong on purpose; set as a whole, `{}` for nothing. */
  faults: PodFaults;
  /** Closes the port and every connection: who connects now is refused. */
  stopListening(): Promise<void>;
  /** Opens the same port again. */
  listen(): Promise<void>;
  /** Ends it for good: port, connections, timers. */
  stop(): Promise<void>;
}

/** Longer than proxies keep an idle connection, so that it is they who close it. */
const KEEP_ALIVE_MS = 120_000;
/** A client that sends its head or its body slower than this is cut off. */
const HEADERS_MS_MAX = 60_000;
const REQUEST_MS_MAX = 300_000;
const REOPEN_EVERY_MS = 200;

/** Starts a pod on `host` and `port` (0: a free one). Rejects when the port can't be opened. */
export async function startPod(settings: PodSettings, host: string, port: number): Promise<Pod> {
  const state = new PodState(settings);
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: HEADERS_MS_MAX, requestTimeout: REQUEST_MS_MAX, noDelay: true },
    (request, response) => void serve(state, request, response),
  );
  server.maxConnections = settings.connectionsMax;
  await open(server, host, port);
  const bound = (server.address() as AddressInfo).port;
  let reopening: NodeJS.Timeout | undefined;
  const pod: Pod = {
    name: settings.name,
    host,
    port: bound,
    url: `http://${host}:${bound}`,
    signals: () => state.host.signals(),
    get faults() {
      return state.faults;
    },
    set faults(faults) {
      state.faults = faults;
    },
    stopListening: () => close(server),
    listen: () => open(server, host, bound),
    stop: () => {
      clearTimeout(reopening);
      state.host.stop();
      return close(server);
    },
  };
  const reopen = (): void => {
    // Another process may have taken the port meanwhile: try until it is free or the pod is stopped.
    pod.listen().catch(() => {
      reopening = setTimeout(reopen, REOPEN_EVERY_MS);
    });
  };
  state.refuseFor = (ms) => {
    void pod.stopListening();
    reopening = setTimeout(reopen, ms);
  };
  return pod;
}

async function serve(state: PodState, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? "/").split("?", 1)[0];
  const method = request.method ?? "GET";
  const methods = POD_ROUTES[path];
  // Writing to a client that went away is no error of the pod's; its request is aborted at "close".
  response.on("error", () => {});
  response.once("finish", () => state.countAnswer(methods ? path : "none", method, response.statusCode));
  try {
    const route = methods?.[method];
    if (!methods) sendDetail(state, response, 404, "Not Found");
    else if (!route) sendDetail(state, response, 405, "Method Not Allowed");
    else await route(state, request, response);
  } catch (error) {
    // A body that was too long may still be on its way: this connection is of no more use.
    if (error instanceof ApiError && error.status === 413) response.setHeader("connection", "close");
    answerError(state, response, error);
  }
}

/** As FastAPI answers what it does not know. */
function sendDetail(state: PodState, response: ServerResponse, status: number, detail: string): void {
  const body = JSON.stringify({ detail });
  response.writeHead(status, {
    ...state.headers,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}

function open(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void =>
      reject(new Error(`Cannot open port ${port} on ${host}: ${error.message}`, { cause: error }));
    server.once("error", failed);
    server.listen(port, host, () => {
      server.off("error", failed);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

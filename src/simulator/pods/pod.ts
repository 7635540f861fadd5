import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { EngineSignals } from "../engine/engine-types.ts";
import { ApiError } from "./api-error.ts";
import type { PodFaults } from "./faults.ts";
import { closePort, openPort, originOf } from "./http-listener.ts";
import type { PodRole, PodSettings } from "./pod-options.ts";
import { answerError, POD_ROUTES } from "./pod-routes.ts";
import { PodState } from "./pod-state.ts";
import { RoutingSidecar } from "./routing-sidecar.ts";

/** A simulated vLLM pod: an HTTP server over one engine, perhaps behind a routing side-car. */
export interface Pod {
  readonly name: string;
  readonly role: PodRole | undefined;
  readonly host: string;
  /** Where requests go: the side-car's port when there is one. */
  readonly port: number;
  /** `http://HOST:PORT`. */
  readonly url: string;
  /** The engine's own port; the same as `port` without a side-car. */
  readonly enginePort: number;
  /** The engine's state and counters as of now. */
  signals(): EngineSignals;
  /** What it does wrong on purpose; set as a whole, `{}` for nothing. */
  faults: PodFaults;
  /** Closes its ports and every connection: who connects now is refused. */
  stopListening(): Promise<void>;
  /** Opens the same ports again. */
  listen(): Promise<void>;
  /** Ends it for good: ports, connections, timers. */
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
  // Behind a side-car the engine's port is its own affair.
  const enginePort = await openPort(server, host, settings.sidecar ? 0 : port);
  if (state.kv) state.kv.port = enginePort;
  const sidecar = settings.sidecar && makeSidecar(settings, settings.sidecar, originOf(host, enginePort));
  const stopListening = async (): Promise<void> => {
    await Promise.all([closePort(server), sidecar?.stopListening()]);
  };
  const stop = async (): Promise<void> => {
    clearTimeout(reopening);
    state.host.stop();
    await Promise.all([closePort(server), sidecar?.stop(), state.kv?.stop(), state.media.close()]);
  };
  let reopening: NodeJS.Timeout | undefined;
  let bound = enginePort;
  if (sidecar) {
    bound = await sidecar.listen(host, port).catch(async (error: unknown) => {
      await stop();
      throw error;
    });
  }
  const pod: Pod = {
    name: settings.name,
    role: settings.role,
    host,
    port: bound,
    url: originOf(host, bound),
    enginePort,
    signals: () => state.host.signals(),
    get faults() {
      return state.faults;
    },
    set faults(faults) {
      state.faults = faults;
    },
    stopListening,
    listen: async () => {
      if (!server.listening) await openPort(server, host, enginePort);
      await sidecar?.listen(host, bound);
    },
    stop,
  };
  const reopen = (): void => {
    // Another process may have taken the port meanwhile: try until it is free or the pod is stopped.
    pod.listen().catch(() => {
      reopening = setTimeout(reopen, REOPEN_EVERY_MS);
    });
  };
  state.refuseFor = (ms) => {
    // The answer that this is so comes first, through the side-car too.
    void (sidecar?.controlsAnswered() ?? Promise.resolve()).then(stopListening);
    reopening = setTimeout(reopen, ms);
  };
  return pod;
}

const makeSidecar = (
  { bodyBytesMax, connectionsMax }: PodSettings,
  options: NonNullable<PodSettings["sidecar"]>,
  engineUrl: string,
): RoutingSidecar => new RoutingSidecar({ ...options, engineUrl, bodyBytesMax, connectionsMax });

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

import type { IncomingMessage, ServerResponse } from "node:http";
import { createBodyWriter, createStreamWriter, sendError } from "./answer-writer.ts";
import { ApiError, badRequest } from "./api-error.ts";
import { garbageMetrics, hugeMetrics, readFaults, type PodFaults } from "./faults.ts";
import { KV_READ_PATH, KV_RELEASE_PATH } from "./kv-peer.ts";
import { EC_READ_PATH } from "./media-encoder.ts";
import { remoteMediaParams } from "./ec-transfer-params.ts";
import { ecRead, kvRead, kvRelease } from "./peer-routes.ts";
import { wallMs } from "./model-clock.ts";
import type { PodState } from "./pod-state.ts";
import { makePodRequest, promptTokens } from "./make-pod-request.ts";
import { METRICS_CONTENT_TYPE, metricsPage } from "./metrics-page.ts";
import { mediaOf, parseGeneration, parseObject, type GenerationParams } from "./openai-request.ts";
import { chunkHead, type AnswerContext } from "./openai-response.ts";
import type { PodRequest } from "./pod-request.ts";
import { readBody } from "./read-body.ts";

type Route = (pod: PodState, request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

/** vLLM version that the answers and metrics are shaped after. */
const VLLM_VERSION = "0.32.0";

/** What a pod answers, by method and path. */
export const POD_ROUTES: Readonly<Record<string, Readonly<Record<string, Route>>>> = {
  "/v1/completions": { POST: (pod, request, response) => generate(pod, "completion", request, response) },
  "/v1/chat/completions": { POST: (pod, request, response) => generate(pod, "chat", request, response) },
  "/v1/models": { GET: (pod, _, response) => pod.sendJson(response, modelList(pod)) },
  "/health": { GET: health },
  "/version": { GET: (pod, _, response) => pod.sendJson(response, { version: VLLM_VERSION }) },
  "/metrics": { GET: metrics },
  "/tokenize": { POST: tokenizeRoute },
  "/reset_prefix_cache": { POST: (pod, _, response) => pod.sendJson(response, { success: pod.host.clearCache() }) },
  "/sim/state": { GET: (pod, _, response) => pod.sendJson(response, describe(pod)) },
  "/sim/faults": { GET: (pod, _, response) => pod.sendJson(response, pod.faults), POST: setFaults },
  "/sim/refuse": { POST: refuse },
  [EC_READ_PATH]: { POST: ecRead },
  [KV_READ_PATH]: { POST: kvRead },
  [KV_RELEASE_PATH]: { POST: kvRelease },
};

async function generate(
  pod: PodState,
  kind: GenerationParams["kind"],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { settings, host } = pod;
  const faults = pod.faults;
  if (faults.requests === "reset") return void request.socket.destroy();
  const body = await readBody(request, settings.bodyBytesMax);
  const receivedWallMs = wallMs();
  if (faults.requests === "hang") return;
  if (faults.requests === "error") throw new ApiError(500, "InternalServerError", "A fault was asked for.");
  const params = parseGeneration(kind, body, settings);
  if (response.destroyed) return;
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const encodeUs = await pod.media.prepare(params, gone.signal);
  if (response.destroyed) return;
  const id = pod.nextRequestId();
  const responseId = `${kind === "chat" ? "chatcmpl" : "cmpl"}-${askedId(request) ?? id}`;
  let progress = (): void => {};
  const podRequest = makePodRequest(id, params, settings, {
    reachedAt: localAddress(request),
    encodeUs,
    encodedParams: encodedParams(pod, params, localAddress(request)),
    onProgress: () => progress(),
    onFailed: (message) => answerError(pod, response, new ApiError(500, "InternalServerError", message)),
  });
  podRequest.receivedWallMs = receivedWallMs;
  const refusal = host.refusal(podRequest);
  if (refusal) {
    pod.stats.refused++;
    pod.kv?.fetcher.refused(podRequest);
    throw new ApiError(503, "ServiceUnavailableError", `Cannot take the request: ${refusal}`);
  }
  const context = answerContext(pod, podRequest, responseId, request);
  if (params.stream) {
    response.writeHead(200, { ...pod.headers, "content-type": "text/event-stream; charset=utf-8" });
    progress = createStreamWriter(response, context, faults, settings.unsentBytesMax);
  } else {
    progress = createBodyWriter(response, context, pod.headers, faults);
  }
  response.once("close", () => host.abort(podRequest));
  pod.kv?.taken(podRequest);
  host.submit(podRequest);
  // As vLLM: the headers of a stream go out before the first token.
  if (params.stream && podRequest.emittedTokens === 0) response.flushHeaders();
}

/** Address at which the client reached the pod; an IPv4 one may come as an IPv6 one. */
const localAddress = ({ socket }: IncomingMessage): string =>
  (socket.localAddress ?? "").replace(/^::ffff:(?=\d+\.)/, "");

/** Where an encode pod's peers find what it has encoded. */
function encodedParams({ settings, kv }: PodState, { prompt }: GenerationParams, host: string): unknown {
  if (settings.role !== "encode" || !kv || !("messages" in prompt)) return null;
  const hashes = mediaOf(prompt.messages).map(({ hash }) => hash);
  return hashes.length > 0 ? remoteMediaParams(hashes, { engineId: kv.engineId, host, port: kv.port }) : null;
}

/** As vLLM, the client's x-request-id becomes part of the answer's id; several requests may bear the same. */
function askedId(request: IncomingMessage): string | undefined {
  const asked = request.headers["x-request-id"];
  return typeof asked === "string" && asked.length > 0 && asked.length <= REQUEST_ID_BYTES_MAX ? asked : undefined;
}

const REQUEST_ID_BYTES_MAX = 200;

function answerContext(
  pod: PodState,
  podRequest: PodRequest,
  responseId: string,
  request: IncomingMessage,
): AnswerContext {
  const created = Math.floor(Date.now() / 1000);
  return {
    request: podRequest,
    responseId,
    head: chunkHead(podRequest, responseId, created),
    created,
    fingerprint: `vllm-${VLLM_VERSION}-sim`,
    promptTokensDetails: pod.settings.promptTokensDetails,
    blockSizeTokens: pod.settings.engine.blockSizeTokens,
    reportPod: request.headers["x-sim-report"] === "1" ? pod.settings.name : undefined,
  };
}

function modelList(pod: PodState): unknown {
  const { modelName, loraAdapters, engine } = pod.settings;
  const created = Math.floor(pod.startedSeconds);
  const model = (id: string, parent: string | null): unknown => ({
    id,
    object: "model",
    created,
    owned_by: "vllm",
    root: id,
    parent,
    max_model_len: parent === null ? engine.modelLenTokensMax : null,
    permission: [],
  });
  return { object: "list", data: [model(modelName, null), ...loraAdapters.map((name) => model(name, modelName))] };
}

function health(pod: PodState, _: IncomingMessage, response: ServerResponse): void {
  if (pod.faults.health === "hang") return;
  response.writeHead(pod.faults.health === "error" ? 503 : 200, { ...pod.headers, "content-length": 0 });
  response.end();
}

function metrics(pod: PodState, request: IncomingMessage, response: ServerResponse): void {
  const { faults } = pod;
  if (faults.metrics === "hang") return;
  if (faults.metrics === "reset") return void request.socket.destroy();
  if (faults.metrics === "error") throw new ApiError(500, "InternalServerError", "A fault was asked for.");
  pod.lora.note(pod.host.openRequests, Date.now() / 1000);
  const page = metricsPage({
    settings: pod.settings,
    signals: pod.host.signals(),
    stats: pod.stats,
    startedSeconds: pod.startedSeconds,
    loraStates: pod.lora.states,
    httpRequests: pod.httpRequests,
    kv: pod.kv?.stats,
    media: pod.media.counts,
  });
  const body =
    faults.metrics === "garbage" ? garbageMetrics() : faults.metrics === "huge" ? hugeMetrics() + page : page;
  response.writeHead(200, {
    ...pod.headers,
    "content-type": METRICS_CONTENT_TYPE,
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}

async function tokenizeRoute(pod: PodState, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(request, pod.settings.bodyBytesMax);
  const kind = parseObject(body).messages === undefined ? "completion" : "chat";
  const tokens = promptTokens(parseGeneration(kind, body, pod.settings).prompt);
  pod.sendJson(response, {
    count: tokens.length,
    max_model_len: pod.settings.engine.modelLenTokensMax,
    tokens: [...tokens],
    token_strs: null,
  });
}

function describe({ settings, host, faults, kv, media }: PodState): unknown {
  const { name, role, modelName, timeScale, seed } = settings;
  const modelTimeUs = host.clock.nowUs();
  const transfers = kv && { engineId: kv.engineId, fetches: kv.stats.fetches, holds: kv.stats.holds };
  return {
    name,
    role,
    modelName,
    timeScale,
    seed,
    modelTimeUs,
    signals: host.signals(),
    kv: transfers,
    media: media.counts,
    faults,
  };
}

async function setFaults(pod: PodState, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const faults: PodFaults = readFaults(parseObject(await readBody(request, pod.settings.bodyBytesMax)));
  pod.faults = faults;
  pod.sendJson(response, faults);
}

const REFUSE_MS_MAX = 600_000;

/** Closes the port and all connections for a while: `{"forMs": 1000}`. The answer comes first. */
async function refuse(pod: PodState, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { forMs } = parseObject(await readBody(request, pod.settings.bodyBytesMax));
  if (typeof forMs !== "number" || !(forMs >= 1 && forMs <= REFUSE_MS_MAX)) {
    throw badRequest(
      `Cannot refuse connections for ${JSON.stringify(forMs)} ms: allowed are 1 to ${REFUSE_MS_MAX}.`,
      "forMs",
    );
  }
  response.once("finish", () => pod.refuseFor(forMs));
  pod.sendJson(response, { refusedForMs: forMs });
}

/** Answers an error; a client that went away gets none. */
export function answerError(pod: PodState, response: ServerResponse, error: unknown): void {
  sendError(response, error, pod.headers);
}

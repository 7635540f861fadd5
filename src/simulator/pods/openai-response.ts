import type { PodRequest } from "./pod-request.ts";

/**
 * Answers in the shapes of vLLM 0.32, key for key. Pure functions from a request to text.
 *
 * A client that sends `x-sim-report: 1` also gets `"sim": {...}` as the last key of the body, or of the last chunk
 * before `[DONE]`: times in the engine's model time (see `SimReport`). Without that header nothing is added.
 */
export interface AnswerContext {
  readonly request: PodRequest;
  readonly responseId: string;
  /** What every chunk begins with (see `chunkHead`). */
  readonly head: string;
  /** Unix seconds. */
  readonly created: number;
  readonly fingerprint: string;
  readonly promptTokensDetails: boolean;
  readonly blockSizeTokens: number;
  /** Name of the pod when the client asked for the report. */
  readonly reportPod: string | undefined;
}

/** What `"sim"` holds; milliseconds of model time, but for the last two. */
export interface SimReport {
  readonly pod: string;
  /** Arrival to first token. */
  readonly ttft_ms: number;
  /** Arrival to leaving the queue. */
  readonly queue_ms: number;
  /** Arrival to last token. */
  readonly e2e_ms: number;
  readonly cached_tokens: number;
  /** Came from the pod that computed the prompt. */
  readonly fetched_tokens: number;
  readonly prompt_tokens: number;
  readonly output_tokens: number;
  readonly preemptions: number;
  /** Real time, Unix milliseconds: when the request was there, and when its first token came out. */
  readonly received_at_ms: number;
  readonly first_token_at_ms: number;
}

/** Text of the tokens from `from` to before `to`. */
const textOf = (request: PodRequest, from: number, to: number): string =>
  to === from + 1 ? request.output.pieces[from] : request.output.pieces.slice(from, to).join("");

const finishReason = (request: PodRequest): "stop" | "length" => (request.output.stopped ? "stop" : "length");

/** The beginning of every chunk of an answer. */
export function chunkHead(request: PodRequest, responseId: string, created: number): string {
  const object = request.params.kind === "chat" ? "chat.completion.chunk" : "text_completion";
  return `{"id":${JSON.stringify(responseId)},"object":"${object}","created":${created},"model":${JSON.stringify(request.params.model)},"choices":[`;
}

/** The chunk that opens a streamed chat answer; empty for completions. */
export function openingEvent(context: AnswerContext): string {
  if (context.request.params.kind !== "chat") return "";
  const choice = `{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}`;
  return event(`${context.head}${choice}]${runningUsage(context, 0)},"prompt_token_ids":null,"prompt_text":null}`);
}

/** The chunk with the tokens from `from` to before `to`, the last one of the answer if `to` is its length. */
export function tokensEvent(context: AnswerContext, from: number, to: number): string {
  const { request } = context;
  const { kind, includeUsage } = request.params;
  const last = to === request.outputTokens;
  const reason = last ? `"${finishReason(request)}"` : "null";
  const text = JSON.stringify(textOf(request, from, to));
  const choice =
    kind === "chat"
      ? `{"index":0,"delta":{"content":${text}},"logprobs":null,"finish_reason":${reason}${last ? ',"stop_reason":null' : ""},"token_ids":null}`
      : `{"index":0,"text":${text},"logprobs":null,"finish_reason":${reason},"stop_reason":null,"prompt_token_ids":null,"token_ids":null}`;
  const closing = last && !includeUsage ? `,"system_fingerprint":"${context.fingerprint}"${report(context)}` : "";
  return event(`${context.head}${choice}]${runningUsage(context, to)}${closing}}`);
}

/** What ends a streamed answer: the usage, if asked for, and the end marker. */
export function closingEvents(context: AnswerContext): string {
  const { params } = context.request;
  if (!params.includeUsage) return DONE;
  const details = context.promptTokensDetails
    ? `,"prompt_tokens_details":${JSON.stringify(cacheDetails(context))}`
    : "";
  const usage = `{${counts(context.request, context.request.emittedTokens)}${details}}`;
  return `${event(`${context.head}],"usage":${usage},"system_fingerprint":"${context.fingerprint}"${report(context)}}`)}${DONE}`;
}

/** The body of an answer that is not streamed. */
export function fullBody(context: AnswerContext): string {
  const { request, responseId, created, fingerprint } = context;
  const chat = request.params.kind === "chat";
  const text = JSON.stringify(textOf(request, 0, request.outputTokens));
  const reason = finishReason(request);
  const choice = chat
    ? `{"index":0,"message":{"role":"assistant","content":${text},"refusal":null,"annotations":null,"audio":null,"function_call":null,"reasoning":null},"logprobs":null,"finish_reason":"${reason}","stop_reason":null,"token_ids":null,"routed_experts":null}`
    : `{"index":0,"text":${text},"logprobs":null,"finish_reason":"${reason}","stop_reason":null,"token_ids":null,"prompt_logprobs":null,"prompt_token_ids":null,"routed_experts":null}`;
  const details = context.promptTokensDetails
    ? JSON.stringify({ created_cache_tokens: null, ...cacheDetails(context), multimodal_tokens: null }, DETAILS_ORDER)
    : "null";
  const usage = `{${counts(request, request.emittedTokens)},"prompt_tokens_details":${details},"completion_tokens_details":null}`;
  return (
    `{"id":${JSON.stringify(responseId)},"object":"${chat ? "chat.completion" : "text_completion"}","created":${created},` +
    `"model":${JSON.stringify(request.params.model)},"choices":[${choice}],"service_tier":null,` +
    `"system_fingerprint":"${fingerprint}","usage":${usage},` +
    (chat ? '"prompt_logprobs":null,"prompt_token_ids":null,"prompt_text":null,' : "") +
    `"kv_transfer_params":${JSON.stringify(request.heldParams)},"ec_transfer_params":${JSON.stringify(request.encodedParams)},"metrics":null${report(context)}}`
  );
}

const DONE = "data: [DONE]\n\n";
const DETAILS_ORDER = ["cached_tokens", "created_cache_tokens", "multimodal_tokens"];

const event = (json: string): string => `data: ${json}\n\n`;

const counts = (request: PodRequest, outputTokens: number): string =>
  `"prompt_tokens":${request.promptTokens},"total_tokens":${request.promptTokens + outputTokens},"completion_tokens":${outputTokens}`;

function runningUsage({ request }: AnswerContext, outputTokens: number): string {
  if (!request.params.continuousUsage || !request.params.includeUsage) return "";
  return `,"usage":{${counts(request, outputTokens)},"completion_tokens_details":null}`;
}

/** vLLM tells newly cached prompt tokens for chat only. */
function cacheDetails({ request, blockSizeTokens }: AnswerContext): Record<string, number> {
  // What a peer has computed is cached to vLLM; the routing side-car puts the peer's own figure in its place.
  const cached = request.cachedTokens + request.fetchedTokens;
  const details = { cached_tokens: cached };
  if (request.params.kind !== "chat") return details;
  const full = request.promptTokens - (request.promptTokens % blockSizeTokens);
  return { ...details, created_cache_tokens: Math.max(0, full - cached) };
}

function report({ request, reportPod }: AnswerContext): string {
  if (reportPod === undefined) return "";
  const ms = (timeUs: number): number => (timeUs - request.arrivedUs) / 1000;
  const sim: SimReport = {
    pod: reportPod,
    ttft_ms: ms(request.firstTokenUs),
    queue_ms: ms(request.scheduledUs),
    e2e_ms: ms(request.lastTokenUs),
    cached_tokens: request.cachedTokens,
    fetched_tokens: request.fetchedTokens,
    prompt_tokens: request.promptTokens,
    output_tokens: request.emittedTokens,
    preemptions: request.preemptions,
    received_at_ms: request.receivedWallMs,
    first_token_at_ms: request.firstTokenWallMs,
  };
  return `,"sim":${JSON.stringify(sim)}`;
}

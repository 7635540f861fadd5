import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import type { ChatMessage } from "./engine/chat-template.ts";
import type { SimReport } from "./pods/openai-response.ts";

export interface ChatStreamRequest {
  /** Up to and without `/v1`. */
  readonly baseUrl: string;
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly outputTokensMax: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The answer must be complete by then. */
  readonly msMax: number;
  readonly signal: AbortSignal | undefined;
}

export interface ChatStreamAnswer {
  readonly text: string;
  readonly servedBy: string;
  readonly wallTtftMs: number;
  readonly wallMs: number;
  /**
   * Real time between client and pod before the first token: from sending until the pod had the request, and from its
   * first token to the client's. Connecting, proxies and whoever they ask; undefined when the server did not report it.
   */
  readonly wayMs: number | undefined;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
  /** The simulated pod's own times; undefined from another server. */
  readonly sim: SimReport | undefined;
}

/** A new connection for each request, as the playbook's client does. */
const agent = new Agent({ keepAlive: false });
const ERROR_BYTES_MAX = 2048;
const EVENT_BYTES_MAX = 4 * 1024 * 1024;

/** Sends one streamed chat request and reads the whole answer. Rejects with the cause when it is not complete. */
export function streamChat(options: ChatStreamRequest): Promise<ChatStreamAnswer> {
  const body = JSON.stringify({
    model: options.model,
    messages: options.messages,
    max_tokens: options.outputTokensMax,
    stream: true,
    stream_options: { include_usage: true },
  });
  const headers = {
    ...options.headers,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "x-sim-report": "1",
  };
  const startMs = performance.now();
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${options.baseUrl}/v1/chat/completions`, {
      method: "POST",
      agent,
      headers,
      ...(options.signal ? { signal: options.signal } : {}),
    });
    const timer = setTimeout(
      () => request.destroy(new Error(`no complete answer within ${options.msMax} ms`)),
      options.msMax,
    );
    const fail = (error: Error): void => {
      clearTimeout(timer);
      request.destroy();
      reject(new Error(`Cannot get a chat answer: ${error.message}`, { cause: error }));
    };
    request.once("error", fail);
    request.once("response", (response) => {
      readAnswer(response, startMs).then((answer) => {
        clearTimeout(timer);
        resolve(answer);
      }, fail);
    });
    request.end(body);
  });
}

/** The fields of a chunk that are read. */
interface Chunk {
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[];
  readonly usage?: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly prompt_tokens_details?: { readonly cached_tokens?: number | null } | null;
  } | null;
  readonly error?: { readonly message?: string };
  readonly sim?: SimReport;
}

async function readAnswer(response: IncomingMessage, startMs: number): Promise<ChatStreamAnswer> {
  response.setEncoding("utf8");
  if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}: ${await readSome(response)}`);
  let text = "";
  let firstMs: number | undefined;
  let usage: Chunk["usage"];
  let sim: SimReport | undefined;
  for await (const data of events(response)) {
    if (data === "[DONE]") {
      const endMs = performance.now();
      const servedBy = response.headers["x-served-by"];
      return {
        text,
        servedBy: sim?.pod ?? (typeof servedBy === "string" ? servedBy : ""),
        wallTtftMs: (firstMs ?? endMs) - startMs,
        wallMs: endMs - startMs,
        wayMs: sim && wayMs(sim, startMs, firstMs ?? endMs),
        promptTokens: usage?.prompt_tokens ?? 0,
        cachedTokens: usage?.prompt_tokens_details?.cached_tokens ?? 0,
        outputTokens: usage?.completion_tokens ?? 0,
        sim,
      };
    }
    const chunk = JSON.parse(data) as Chunk;
    if (chunk.error) throw new Error(chunk.error.message ?? "an error in the stream");
    const content = chunk.choices?.[0]?.delta?.content;
    if (content) firstMs ??= performance.now();
    text += content ?? "";
    usage = chunk.usage ?? usage;
    sim = chunk.sim ?? sim;
  }
  throw new Error("the stream ended before [DONE]");
}

function wayMs(sim: SimReport, startMs: number, firstMs: number): number {
  const { timeOrigin } = performance;
  return sim.received_at_ms - (timeOrigin + startMs) + (timeOrigin + firstMs - sim.first_token_at_ms);
}

/** The `data` of each server-sent event. */
async function* events(response: IncomingMessage): AsyncGenerator<string> {
  let rest = "";
  for await (const part of response as AsyncIterable<string>) {
    rest += part;
    const parts = rest.split("\n\n");
    rest = parts.pop()!;
    if (rest.length > EVENT_BYTES_MAX) throw new Error(`an event is longer than ${EVENT_BYTES_MAX} bytes`);
    for (const event of parts) if (event.startsWith("data: ")) yield event.slice("data: ".length);
  }
}

async function readSome(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of response as AsyncIterable<string>) {
    text += part;
    if (text.length > ERROR_BYTES_MAX) break;
  }
  return text.slice(0, ERROR_BYTES_MAX);
}

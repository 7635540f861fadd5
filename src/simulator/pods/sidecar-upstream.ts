import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { Agent } from "undici";
import { ApiError } from "./api-error.ts";
import { lineTransform } from "./line-transform.ts";
import { readPrefillAnswer, type PrefillAnswer } from "./sidecar-bodies.ts";

/** How a prefill ended. */
export type Prefill =
  | { readonly kind: "done"; readonly answer: PrefillAnswer }
  /** The request is wrong (4xx): the client is to know. */
  | { readonly kind: "refused"; readonly status: number; readonly body: string }
  /** The pod is not there, has no time or failed. `status` is what a client would be told. */
  | { readonly kind: "failed"; readonly status: number; readonly message: string };

/** A request on its way to the engine. */
export interface Forwarded {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** In the place of the request's own, or that as a stream. */
  readonly body: string | IncomingMessage | undefined;
  /** Aborted when the client goes away. */
  readonly gone: AbortSignal;
  /** Changes each line of the answer. */
  readonly change?: (line: string) => string;
}

export interface UpstreamOptions {
  readonly engineUrl: string;
  readonly prefillMsMax: number;
}

/** A prefill's answer has one token and the numbers of its blocks. */
const PREFILL_ANSWER_BYTES_MAX = 16 * 1024 * 1024;
const LINE_CHARACTERS_MAX = 4 * 1024 * 1024;
const CONNECT_MS_MAX = 5000;
/** Prefill pods with open connections; a prefill at one more fails. */
const PREFILL_PODS_MAX = 10_000;

/** Between connections, not between ends. */
const HOP_HEADERS = new Set([
  "connection",
  "expect",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** The side-car's connections: to its engine, and to prefill pods. */
export class SidecarUpstream {
  readonly #options: UpstreamOptions;
  /** Answers may take as long as they like. */
  readonly #engine = new Agent({ connect: { timeout: CONNECT_MS_MAX }, headersTimeout: 0, bodyTimeout: 0 });
  readonly #prefill: Agent;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    // Its time is up by a signal.
    this.#prefill = new Agent({
      connect: { timeout: CONNECT_MS_MAX },
      headersTimeout: 0,
      bodyTimeout: 0,
      maxResponseSize: PREFILL_ANSWER_BYTES_MAX,
      maxOrigins: PREFILL_PODS_MAX,
    });
  }

  /** Sends a request on to the engine and its answer back. Throws ApiError when there is none to send. */
  async forward({ request, response, body, gone, change }: Forwarded): Promise<void> {
    const answer = await this.#engine
      .request({
        origin: this.#options.engineUrl,
        path: request.url ?? "/",
        method: request.method ?? "GET",
        headers: endToEnd(request.headers, typeof body === "string"),
        body: body ?? null,
        signal: gone,
      })
      .catch((error: unknown) => {
        const code = error instanceof Error && "code" in error ? error.code : undefined;
        const status = code === "ECONNREFUSED" ? 503 : 502;
        throw new ApiError(status, "BadGateway", `Cannot reach the engine: ${String(code ?? error)}`);
      });
    response.writeHead(answer.statusCode, endToEnd(answer.headers, change !== undefined));
    response.flushHeaders();
    // A client or an engine that breaks off in the middle ends both.
    const ends = change
      ? pipeline(answer.body, lineTransform(LINE_CHARACTERS_MAX, change), response)
      : pipeline(answer.body, response);
    await ends.catch(() => response.destroy());
  }

  /** Has a prompt computed, or an item encoded, at `target`, `host:port`. */
  async prefill(
    target: string,
    request: Pick<IncomingMessage, "url" | "headers">,
    body: string,
    gone: AbortSignal,
  ): Promise<Prefill> {
    const timeUp = AbortSignal.timeout(this.#options.prefillMsMax);
    try {
      const answer = await this.#prefill.request({
        origin: `http://${target}`,
        path: request.url ?? "/",
        method: "POST",
        headers: endToEnd(request.headers, true),
        body,
        signal: AbortSignal.any([gone, timeUp]),
      });
      const text = await answer.body.text();
      const { statusCode: status } = answer;
      if (status >= 400 && status < 500) return { kind: "refused", status, body: text };
      const read = status >= 200 && status < 300 ? readPrefillAnswer(text) : undefined;
      return read
        ? { kind: "done", answer: read }
        : { kind: "failed", status: status >= 500 ? status : 502, message: `it answered ${status}` };
    } catch (error) {
      return { kind: "failed", status: 502, message: error instanceof Error ? error.message : String(error) };
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#engine.destroy(), this.#prefill.destroy()]);
  }
}

/** Headers that go on; the length not when the body is another. */
function endToEnd(headers: IncomingHttpHeaders, newLength: boolean): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !HOP_HEADERS.has(name) && !(newLength && name === "content-length")) kept[name] = value;
  }
  return kept;
}

import type { ServerResponse } from "node:http";
import { ApiError } from "./api-error.ts";
import { DIE_AFTER_TOKENS_DEFAULT, type PodFaults } from "./faults.ts";
import { closingEvents, fullBody, openingEvent, tokensEvent, type AnswerContext } from "./openai-response.ts";

/** Sends what came out of the engine since it was last called; ends the answer when that is complete. */
export type AnswerWriter = () => void;

/** Sends the whole answer once it is complete. */
export function createBodyWriter(
  response: ServerResponse,
  context: AnswerContext,
  headers: Readonly<Record<string, string>>,
  faults: PodFaults,
): AnswerWriter {
  return () => {
    if (context.request.state !== "finished" || response.writableEnded || response.destroyed) return;
    const body = Buffer.from(fullBody(context));
    response.writeHead(200, { ...headers, "content-length": body.length, "content-type": "application/json" });
    if (faults.requests !== "die") response.end(body);
    else response.write(body.subarray(0, body.length >> 1), () => response.destroy());
  };
}

/**
 * Sends one event a token, as vLLM does. While the client does not read, at most `unsentBytesMax` wait to be sent
 * (beyond that tokens wait as a number), and what came out meanwhile goes into one event, as vLLM does too.
 */
export function createStreamWriter(
  response: ServerResponse,
  context: AnswerContext,
  faults: PodFaults,
  unsentBytesMax: number,
): AnswerWriter {
  const { request } = context;
  const dieAfter = faults.requests === "die" ? (faults.dieAfterTokens ?? DIE_AFTER_TOKENS_DEFAULT) : Infinity;
  let sentTokens = 0;
  /** The client does not keep up: nothing is written until it took what waits. */
  let behind = false;
  const progress = (): void => {
    if (behind || response.writableEnded || response.destroyed) return;
    while (sentTokens < request.emittedTokens) {
      const to = Math.min(request.emittedTokens, sentTokens + EVENTS_A_WRITE_MAX, dieAfter);
      let text = "";
      for (let i = sentTokens; i < to; i++) text += tokensEvent(context, i, i + 1);
      if (!write(text, to)) return;
    }
    if (sentTokens === request.outputTokens) response.end(closingEvents(context));
  };
  /** False when the client does not keep up. */
  const write = (text: string, to: number): boolean => {
    const opening = sentTokens === 0 ? openingEvent(context) : "";
    const dies = to === dieAfter && to < request.outputTokens;
    response.write(opening + text, dies ? () => response.destroy() : taken);
    sentTokens = to;
    behind = dies || response.writableLength > unsentBytesMax;
    return !behind;
  };
  const taken = (error?: Error | null): void => {
    if (error || !behind || response.writableLength > 0 || response.destroyed) return;
    behind = false;
    const to = request.emittedTokens;
    if (to > sentTokens) write(tokensEvent(context, sentTokens, to), to);
    progress();
  };
  return progress;
}

const EVENTS_A_WRITE_MAX = 256;

/** Answers an error in vLLM's shape; anything but an ApiError is a 500. */
export function sendError(response: ServerResponse, error: unknown, headers: Readonly<Record<string, string>>): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const text = error instanceof Error ? error.message : String(error);
  const apiError = error instanceof ApiError ? error : new ApiError(500, "InternalServerError", text);
  const body = apiError.body();
  response.writeHead(apiError.status, {
    ...headers,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}

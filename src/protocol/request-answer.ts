import type { Decision, Picked } from "../core/decision.ts";
import type { RewriteMode } from "../core/parser.ts";
import { joined } from "./byte-collector.ts";
import { chunksOf } from "./chunking.ts";
import { type HeaderValues, routeHeaders } from "./header-rules.ts";
import type { MachineOptions } from "./machine-options.ts";
import { answer, type HeaderField, type OutgoingMessage } from "./messages.ts";
import { destinationMetadata } from "./metadata.ts";
import type { ReadRequest } from "./request-reader.ts";

/** How the answer that routes a request travels. */
export type AnswerForm =
  /** The headers' answer, then the body in chunks. */
  | { readonly kind: "streamed"; readonly bodyEndsStream: boolean }
  /** All in the body's answer; the body itself only when it changed. */
  | { readonly kind: "buffered" }
  /** The headers' answer alone. */
  | { readonly kind: "headersOnly" };

export interface RoutedRequest {
  readonly decision: Decision;
  readonly picked: Picked;
  readonly read: ReadRequest;
  readonly body: Uint8Array;
  readonly headers: HeaderValues;
  /** x-request-id to be set, where the picker made it up. */
  readonly requestId: string | undefined;
  /** Headers that carry its trace on. */
  readonly trace: readonly HeaderField[];
}

/** The messages that send a request on its way (`spec/epp-core.md` 1.2). */
export function routeAnswer(
  request: RoutedRequest,
  form: AnswerForm,
  options: Pick<MachineOptions, "rewrite" | "emitEndpointScores" | "removesClientHeaders">,
): readonly OutgoingMessage[] {
  const { decision, picked } = request;
  const rewritten = form.kind === "headersOnly" ? undefined : rewrittenBody(request, options.rewrite);
  const parts = rewritten ?? [request.body];
  const destination = picked.targets.join(",");
  const route = {
    setHeaders: routeHeaders({
      destination,
      contentLength: contentLengthOf(form, parts, rewritten !== undefined),
      trace: request.trace,
      requestId: request.requestId,
      passThrough: form.kind === "streamed" ? request.headers : undefined,
      edits: form.kind === "headersOnly" ? new Map() : decision.headers,
    }),
    removeHeaders: options.removesClientHeaders ? takenAway(decision, request.headers) : [],
    clearRouteCache: true,
    dynamicMetadata: destinationMetadata(destination, options.emitEndpointScores ? decision.scores() : undefined),
  };
  if (form.kind === "buffered") {
    const body = rewritten && ({ kind: "whole", body: joined(rewritten) } as const);
    return [answer("requestBody", { ...route, body })];
  }
  const head = answer("requestHeaders", route);
  if (form.kind === "headersOnly") return [head];
  return [head, ...bodyAnswers("requestBody", parts, form.bodyEndsStream)];
}

/** Headers of the client that plugins took away: left out of what is set again, the proxy would still pass its own copy on. */
const takenAway = ({ headers }: Decision, sent: HeaderValues): readonly string[] =>
  [...headers].flatMap(([name, value]) => (value === undefined && sent.has(name) ? [name] : []));

/** A body as streamed answers; the last one ends the stream unless trailers follow, which then need no empty chunk. */
export function bodyAnswers(
  kind: "requestBody" | "responseBody",
  parts: readonly Uint8Array[],
  endsStream: boolean,
): readonly OutgoingMessage[] {
  const chunks = chunksOf(parts);
  if (!endsStream && chunks.length === 1 && chunks[0].length === 0) return [];
  return chunks.map((body, i) =>
    answer(kind, { body: { kind: "streamed", body, endOfStream: endsStream && i === chunks.length - 1 } }),
  );
}

function rewrittenBody({ decision, read, body }: RoutedRequest, mode: RewriteMode): readonly Uint8Array[] | undefined {
  const { targetModel, facts } = decision;
  if (!read.parsed?.rewritable || targetModel === "" || targetModel === facts.model) return undefined;
  return read.parser?.rewriteModel?.(body, targetModel, mode);
}

/** Under BUFFERED the proxy knows the length of a body that it keeps. */
function contentLengthOf(form: AnswerForm, parts: readonly Uint8Array[], changed: boolean): number {
  if (form.kind === "headersOnly" || (form.kind === "buffered" && !changed)) return 0;
  let length = 0;
  for (const part of parts) length += part.length;
  return length;
}

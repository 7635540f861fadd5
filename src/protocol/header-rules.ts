import type { HeaderField } from "./messages.ts";
import { bytesOf, textOf } from "../core/text.ts";

/** Headers of the picker itself: taken from a message, never set again by an answer (`spec/epp-core.md` 2.3). */
const SYSTEM_HEADERS: ReadonlySet<string> = new Set([
  "x-llm-d-inference-fairness-id",
  "x-gateway-inference-fairness-id",
  "x-llm-d-inference-objective",
  "x-gateway-inference-objective",
  "x-llm-d-model-name-rewrite",
  "x-gateway-model-name-rewrite",
  "x-gateway-destination-endpoint-subset",
  "x-llm-d-slo-ttft-ms",
  "x-slo-ttft-ms",
  "x-llm-d-slo-tpot-ms",
  "x-slo-tpot-ms",
  "x-llm-d-video-fps",
  "x-llm-d-video-duration-seconds",
  "x-llm-d-video-resolution",
  "x-gateway-destination-endpoint",
  "x-gateway-destination-endpoint-served",
  "x-llm-d-request-dropped-reason",
  "content-length",
]);
export const DESTINATION_HEADER = "x-gateway-destination-endpoint";
export const REQUEST_ID_HEADER = "x-request-id";

/** Headers that tell the path, first to last; then DEFAULT_PATH. */
const PATH_HEADERS = [":path", "x-original-path", "x-forwarded-path"];
const DEFAULT_PATH = "/v1/completions";
const ANSWERED: HeaderField = { key: "x-went-into-resp-headers", value: bytesOf("true") };

/** Headers by lower-case name, the last value of a repeated one. */
export type HeaderValues = ReadonlyMap<string, Uint8Array>;

/** Folds the headers of a request: names lower-case, the last value counts. */
export function foldRequestHeaders(headers: readonly HeaderField[]): HeaderValues {
  const values = new Map<string, Uint8Array>();
  for (const { key, value } of headers) values.set(key.toLowerCase(), value);
  return values;
}

/** A header as text; undefined when absent. */
export function headerText(headers: HeaderValues, name: string): string | undefined {
  const value = headers.get(name);
  return value && textOf(value);
}

/** Path of a request, without its query. */
export function pathOf(headers: HeaderValues): string {
  for (const name of PATH_HEADERS) {
    const path = headerText(headers, name);
    if (path) return path.split("?", 1)[0];
  }
  return DEFAULT_PATH;
}

/** Content-Length, spelled as the stock EPP spells it. */
export const contentLength = (bytes: number): HeaderField => ({ key: "Content-Length", value: bytesOf(String(bytes)) });

/** What the answer that routes a request sets. */
export interface RouteHeaders {
  /** `ip:port` of each destination, best first, joined by commas. */
  readonly destination: string;
  /** Content-Length of the forwarded body; left out at 0. */
  readonly contentLength: number;
  /** Headers that carry the trace on; the client's own of these names are left out. */
  readonly trace: readonly HeaderField[];
  /** x-request-id where the picker made it up. */
  readonly requestId: string | undefined;
  /** Request headers to be set again as they are; undefined for none. */
  readonly passThrough: HeaderValues | undefined;
  /** Headers that plugins set or took away. */
  readonly edits: ReadonlyMap<string, string | undefined>;
}

/** Headers of that answer, in the stock EPP's order: destination, Content-Length, trace, then the rest. */
export function routeHeaders(route: RouteHeaders): readonly HeaderField[] {
  const fields: HeaderField[] = [{ key: DESTINATION_HEADER, value: bytesOf(route.destination) }];
  if (route.contentLength > 0) fields.push(contentLength(route.contentLength));
  const { passThrough, edits, requestId, trace } = route;
  fields.push(...trace);
  for (const [key, value] of passThrough ?? []) {
    if (SYSTEM_HEADERS.has(key) || edits.has(key) || (requestId !== undefined && key === REQUEST_ID_HEADER)) continue;
    if (trace.some((field) => field.key === key)) continue;
    fields.push({ key, value });
  }
  if (requestId !== undefined) fields.push({ key: REQUEST_ID_HEADER, value: bytesOf(requestId) });
  for (const [key, value] of edits) {
    if (value !== undefined && !SYSTEM_HEADERS.has(key)) fields.push({ key, value: bytesOf(value) });
  }
  return fields;
}

/**
 * Headers of the answer to response headers: a mark, then what came, keys as received, less the picker's own, and what
 * plugins set (`edits`, by lower-case name) in its place.
 */
export function relayedResponseHeaders(
  headers: readonly HeaderField[],
  edits: ReadonlyMap<string, string>,
): readonly HeaderField[] {
  const values = new Map<string, HeaderField>();
  for (const field of headers) {
    const name = field.key.toLowerCase();
    if (!SYSTEM_HEADERS.has(name) && !edits.has(name)) values.set(field.key, field);
  }
  values.delete(ANSWERED.key);
  const set = Array.from(edits, ([key, value]) => ({ key, value: bytesOf(value) }));
  return [ANSWERED, ...values.values(), ...set];
}

/** True when response headers announce server-sent events (key exactly `content-type`, as the stock EPP looks). */
export function isEventStream(headers: readonly HeaderField[]): boolean {
  const last = headers.findLast(({ key }) => key === "content-type");
  return last !== undefined && textOf(last.value).includes("text/event-stream");
}

/**
 * True when usage is to be read from a stream of events: the same, but whatever the case of the header's name is. Stock
 * decides these two by different means, as recorded.
 */
export function carriesEvents(headers: readonly HeaderField[]): boolean {
  const last = headers.findLast(({ key }) => key.toLowerCase() === "content-type");
  return last !== undefined && textOf(last.value).includes("text/event-stream");
}

/** HTTP status of a response, 100 to 599; 0 when its headers tell none. */
export function statusOf(headers: readonly HeaderField[]): number {
  const told = headers.findLast(({ key }) => key === ":status");
  const text = told ? textOf(told.value) : "";
  return /^[1-5]\d\d$/.test(text) ? Number(text) : 0;
}

/** True when response headers tell of an error by a header of the very name `status`, as stock asks; Envoy's is `:status`. */
export const saysServerError = (headers: readonly HeaderField[]): boolean =>
  headers.some(({ key, value }) => key === "status" && textOf(value) !== "200");

import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

const folder = new URL("../../../test/captures/vllm/", import.meta.url);

/** A captured response of a real vLLM, its chunked framing taken off. */
export interface CapturedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** `name` as in `http/chat-stream-usage`. */
export function capturedResponse(name: string): CapturedResponse {
  const bytes = captured(`${name}.response.http`);
  const end = bytes.indexOf("\r\n\r\n");
  const [status, ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 2)]),
  );
  const raw = bytes.subarray(end + 4);
  const body = headers["transfer-encoding"] === "chunked" ? dechunk(raw) : raw.toString("utf8");
  return { status: Number(status.split(" ")[1]), headers, body };
}

/** The body of a captured request. */
export function capturedRequest(name: string): { readonly path: string; readonly body: string } {
  const text = captured(`${name}.request.http`).toString("utf8");
  const end = text.indexOf("\r\n\r\n");
  return { path: text.split(" ")[1], body: text.slice(end + 4) };
}

/** A file of the captures, gzipped or not. */
function captured(name: string): Buffer {
  const file = new URL(name, folder);
  return existsSync(file) ? readFileSync(file) : gunzipSync(readFileSync(new URL(`${name}.gz`, folder)));
}

/** A captured page of `/metrics`. */
export const capturedMetrics = (name: string): string =>
  gunzipSync(readFileSync(new URL(`metrics/${name}.txt.gz`, folder))).toString("utf8");

function dechunk(raw: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at < raw.length;) {
    const lineEnd = raw.indexOf("\r\n", at);
    const length = Number.parseInt(raw.subarray(at, lineEnd).toString("latin1"), 16);
    parts.push(raw.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
  return Buffer.concat(parts).toString("utf8");
}

/** The JSON of each server-sent event but the end marker, which must be the last. */
export function eventsOf(body: string): unknown[] {
  const events = body.split("\n\n");
  if (events.pop() !== "" || events.pop() !== "data: [DONE]") throw new Error("the stream does not end in [DONE]");
  return events.map((event) => JSON.parse(event.slice("data: ".length)) as unknown);
}

/** Keys in their order and types of values; null, true, false and short closed words stay as they are. */
export function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== "object" || value === null) {
    const kept = value === null || typeof value === "boolean" || CLOSED_WORDS.has(value);
    return kept ? value : typeof value;
  }
  return Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]);
}

const CLOSED_WORDS = new Set<unknown>([
  "assistant",
  "length",
  "stop",
  "list",
  "model",
  "vllm",
  "chat.completion",
  "chat.completion.chunk",
  "text_completion",
]);

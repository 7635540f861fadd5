import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/** Bytes as the recordings write them. */
type RecordedBytes = string | { base64: string } | { repeat: string; times: number } | { parts: RecordedBytes[] };
/** Bytes of an answer: whole, or a digest of longer ones. */
type AnsweredBytes = { bytes: number; utf8?: string; base64?: string; sha256?: string };
type Headers = [string, RecordedBytes, string?][];

interface RecordedMessage {
  request_headers?: { headers: Headers; end_of_stream?: boolean };
  request_body?: { body: RecordedBytes; end_of_stream?: boolean };
  response_headers?: { headers: Headers };
  response_body?: { body: RecordedBytes; end_of_stream?: boolean };
}

interface RecordedCase {
  case: { id: string; config: string; steps: { send?: string; message?: RecordedMessage }[] };
  answers: {
    streams?: Record<string, { messages: { type: string; code?: number; body?: AnsweredBytes }[] }>;
    metrics?: Record<string, number>;
  };
}

/** One request of a recording with what the stock EPP answered. */
export interface Exchange {
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The whole body; undefined when it never ended. */
  readonly body: Uint8Array | undefined;
  readonly responseHeaders: Readonly<Record<string, string>>;
  readonly responseChunks: readonly { readonly bytes: Uint8Array; readonly endOfStream: boolean }[];
  /** Status and text of an immediate response. */
  readonly refusal: { readonly code: number; readonly text: string } | undefined;
  /** The body that went on, in its chunks. */
  readonly forwarded: readonly AnsweredBytes[];
}

export interface PlayedCase {
  readonly id: string;
  readonly config: string;
  readonly exchanges: readonly Exchange[];
  readonly metrics: Readonly<Record<string, number>> | undefined;
}

/** The recorded cases of a family. */
export function goldenCases(family: string): readonly PlayedCase[] {
  const path = new URL(`../../../../test/golden/data/${family}.jsonl.gz`, import.meta.url);
  const lines = gunzipSync(readFileSync(path)).toString().trim().split("\n");
  return lines.map((line) => {
    const { case: recorded, answers } = JSON.parse(line) as RecordedCase;
    const streams = new Map<string, RecordedMessage[]>();
    for (const { send, message } of recorded.steps) {
      if (send === undefined || message === undefined) continue;
      streams.set(send, [...(streams.get(send) ?? []), message]);
    }
    const exchanges = [...streams].map(([name, messages]) =>
      exchange(name, messages, answers.streams?.[name]?.messages ?? []),
    );
    return { id: recorded.id, config: recorded.config, exchanges, metrics: answers.metrics };
  });
}

/** True when bytes are those of an answer. */
export function isAnswered(bytes: Uint8Array, answered: AnsweredBytes): boolean {
  if (bytes.length !== answered.bytes) return false;
  if (answered.utf8 !== undefined) return Buffer.from(bytes).equals(Buffer.from(answered.utf8));
  if (answered.base64 !== undefined) return Buffer.from(bytes).equals(Buffer.from(answered.base64, "base64"));
  return createHash("sha256").update(bytes).digest("hex").startsWith(answered.sha256!);
}

function exchange(
  name: string,
  messages: readonly RecordedMessage[],
  answers: readonly { type: string; code?: number; body?: AnsweredBytes }[],
): Exchange {
  const bodies = messages.filter((message) => message.request_body !== undefined);
  const isWhole = bodies.at(-1)?.request_body?.end_of_stream === true;
  const immediate = answers.find(({ type }) => type === "immediate_response");
  return {
    name,
    headers: headersOf(messages.find((message) => message.request_headers)?.request_headers?.headers),
    body: isWhole ? Buffer.concat(bodies.map((message) => bytesOf(message.request_body!.body))) : undefined,
    responseHeaders: headersOf(messages.find((message) => message.response_headers)?.response_headers?.headers),
    responseChunks: messages
      .filter((message) => message.response_body !== undefined)
      .map(({ response_body: sent }) => ({
        bytes: bytesOf(sent!.body),
        endOfStream: sent!.end_of_stream === true,
      })),
    refusal: immediate && { code: immediate.code!, text: immediate.body?.utf8 ?? "" },
    forwarded: answers.filter(({ type }) => type === "request_body").map(({ body }) => body!),
  };
}

function headersOf(headers: Headers = []): Record<string, string> {
  return Object.fromEntries(headers.map(([key, value]) => [key.toLowerCase(), bytesOf(value).toString()]));
}

function bytesOf(recorded: RecordedBytes): Buffer {
  if (typeof recorded === "string") return Buffer.from(recorded);
  if ("base64" in recorded) return Buffer.from(recorded.base64, "base64");
  if ("repeat" in recorded) return Buffer.from(recorded.repeat.repeat(recorded.times));
  return Buffer.concat(recorded.parts.map(bytesOf));
}

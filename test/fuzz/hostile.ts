import { gzipSync } from "node:zlib";
import { encodeRequest } from "../golden/wire.ts";
import type { CaseMessage, HeaderPair } from "../golden/cases.ts";
import type { Sequence } from "./corpus.ts";
import { withBody } from "./mutations.ts";

/** A stream that is made to hurt, and what its client gets: an HTTP status, or the endpoint. */
export interface Hostile {
  readonly name: string;
  readonly messages: Sequence;
  readonly answer: number | "routed" | "nothing";
}

const CHUNK_BYTES = 60_000;
/** Of bodies that never end: past every limit. */
const ENDLESS_CHUNKS = 100;

const head = (headers: readonly HeaderPair[] = [], endOfStream = false): Uint8Array =>
  message({ request_headers: { headers: [[":path", "/v1/completions"], ...headers], end_of_stream: endOfStream } });
const message = (from: CaseMessage): Uint8Array => encodeRequest(from);
const request = (body: string | Uint8Array): Uint8Array => withBody(4, Buffer.from(body), true);
const REQUEST = [head(), request('{"model":"m","prompt":"hello","stream":true}')];
const EVENTS_HEAD = message({ response_headers: { headers: [["content-type", "text/event-stream"]] } });
const JSON_HEAD = message({ response_headers: { headers: [["content-type", "application/json"]] } });
const endless = (field: number, chunk: string): Uint8Array[] =>
  Array.from({ length: ENDLESS_CHUNKS }, () => withBody(field, Buffer.from(chunk), false));
const usage = (number: string): Uint8Array =>
  Buffer.from(`{"usage":{"prompt_tokens":${number},"completion_tokens":${number},"total_tokens":${number}}}`);
const event = (json: Uint8Array): Uint8Array => Buffer.concat([Buffer.from("data: "), json, Buffer.from("\n\n")]);
const prompt = (value: string): Uint8Array => request(`{"model":"m","prompt":${value}}`);

/** Bombs, floods, what never ends, and numbers beyond all bounds. */
export function hostileStreams(): readonly Hostile[] {
  const bomb = gzipSync(Buffer.alloc(50 << 20));
  const flood = (count: number, bytes: number): HeaderPair[] =>
    Array.from({ length: count }, (_, i): HeaderPair => [`x-${i}`, "v".repeat(bytes)]);
  return [
    { name: "gzip bomb as a body", messages: [head([["content-encoding", "gzip"]]), request(bomb)], answer: 400 },
    { name: "gzip bomb as an answer", messages: [...REQUEST, JSON_HEAD, withBody(5, bomb, true)], answer: "routed" },
    { name: "100,000 headers", messages: [head(flood(100_000, 1))], answer: 400 },
    { name: "2 MiB of headers", messages: [head(flood(32, 1 << 16))], answer: 400 },
    { name: "header of 2 MiB", messages: [head([["x-long", "v".repeat(2 << 20)]])], answer: 400 },
    { name: "no more than headers without a body", messages: [head([], true)], answer: "routed" },
    { name: "body that never ends", messages: [head(), ...endless(4, "x".repeat(CHUNK_BYTES))], answer: 413 },
    { name: "empty body messages that never end", messages: [head(), ...endless(4, "")], answer: "nothing" },
    {
      name: "event stream that never ends",
      messages: [...REQUEST, EVENTS_HEAD, ...endless(5, 'data: {"choices":[]}\n\n'.repeat(2000))],
      answer: "routed",
    },
    {
      name: "event that never ends",
      messages: [...REQUEST, EVENTS_HEAD, ...endless(5, `data: ${"x".repeat(CHUNK_BYTES)}`)],
      answer: "routed",
    },
    {
      name: "answer that never ends",
      messages: [...REQUEST, JSON_HEAD, ...endless(5, "x".repeat(CHUNK_BYTES))],
      answer: "routed",
    },
    {
      name: "headers again and again",
      messages: [...REQUEST, ...Array.from({ length: 2000 }, () => EVENTS_HEAD)],
      answer: "routed",
    },
    ...[
      "1e308",
      "1e309",
      "-1e308",
      "-1",
      "0.5",
      "9".repeat(5000),
      "9007199254740993",
      "null",
      '"1e308"',
      "[1]",
    ].flatMap((number): Hostile[] => [
      {
        name: `usage of ${number.slice(0, 20)}`,
        messages: [...REQUEST, JSON_HEAD, withBody(5, usage(number), true)],
        answer: "routed",
      },
      {
        name: `streamed usage of ${number.slice(0, 20)}`,
        messages: [
          ...REQUEST,
          EVENTS_HEAD,
          withBody(5, event(usage(number)), false),
          withBody(5, Buffer.alloc(0), true),
        ],
        answer: "routed",
      },
    ]),
    ...["1e308", "-1e308", "9".repeat(300), "-1"].map((number): Hostile => ({
      name: `max_tokens of ${number.slice(0, 20)}`,
      messages: [head(), request(`{"model":"m","prompt":"x","max_tokens":${number}}`)],
      answer: "routed",
    })),
    // As Go, which takes no number that is none in 64 bits.
    {
      name: "max_tokens of 10^5000",
      messages: [head(), request(`{"model":"m","prompt":"x","max_tokens":1${"0".repeat(5000)}}`)],
      answer: 400,
    },
    { name: "arrays 100,000 deep", messages: [head(), prompt("[".repeat(100_000))], answer: 400 },
    { name: "objects 100,000 deep", messages: [head(), prompt('{"a":'.repeat(100_000))], answer: 400 },
    {
      name: "100,000 keys",
      messages: [head(), request(`{"model":"m","prompt":"x",${keys(50_000)}}`)],
      answer: "routed",
    },
    { name: "string of escapes", messages: [head(), prompt(`"${"\\u0041".repeat(150_000)}"`)], answer: "routed" },
    {
      name: "prompts without number",
      messages: [head(), prompt(`[${Array.from({ length: 100_000 }, () => '"x"').join(",")}]`)],
      answer: "routed",
    },
    {
      name: "tokens without number",
      messages: [
        head(),
        prompt(
          `[${Array.from({ length: 200_000 }, () => "4294967295")
            .slice(0, 90_000)
            .join(",")}]`,
        ),
      ],
      answer: "routed",
    },
    {
      name: "model of a megabyte",
      messages: [head(), request(`{"model":"${"m".repeat(900_000)}","prompt":"x"}`)],
      answer: 400,
    },
  ];
}

const keys = (count: number): string => Array.from({ length: count }, (_, i) => `"k${i}":1`).join(",");

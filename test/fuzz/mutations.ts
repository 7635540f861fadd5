import { decodeRequest } from "../../src/protocol/codec.ts";
import type { HeaderField } from "../../src/protocol/messages.ts";
import { ProtoWriter } from "../../src/protocol/proto-writer.ts";
import type { Sequence } from "./corpus.ts";
import type { Random } from "./random.ts";

/** Messages of a stream, and how many of them are not as they were recorded. */
export interface Mutated {
  readonly messages: Sequence;
  readonly mutatedCount: number;
}

/** Headers that something reads, with values that are good, bad or odd. */
const HEADERS: readonly (readonly [key: string, value: string])[] = [
  [":path", "/v1/chat/completions"],
  [":path", "/v1/messages"],
  [":path", "/v1/messages/count_tokens"],
  [":path", "/inference/v1/generate"],
  [":path", "/generate"],
  [":path", "/v1/responses?a=b"],
  [":path", "/vllm.grpc.engine.VllmEngine/Generate"],
  [":path", "/google.cloud.aiplatform.v1.PredictionService/ChatCompletions"],
  [":path", ""],
  [":path", "/v1/completions//"],
  ["X-Request-ID", ""],
  ["x-llm-d-model-name-rewrite", "other"],
  ["x-gateway-model-name-rewrite", '"\\\u00ff'],
  ["x-llm-d-inference-fairness-id", "\u00ff\u0000"],
  ["x-llm-d-inference-objective", "nobody"],
  ["x-llm-d-slo-ttft-ms", "1e308"],
  ["x-llm-d-slo-tpot-ms", "-1"],
  ["prefer", "if-available"],
  ["x-session-token", "bm9ib2R5L3BvZA=="],
  ["x-session-token", "%%%"],
  ["x-prefiller-host-port", "1.2.3.4:5"],
  ["content-type", "text/event-stream"],
  ["content-type", "application/grpc"],
  ["content-encoding", "gzip"],
  ["content-length", "-1"],
  ["status", "500"],
  ["traceparent", "00-00000000000000000000000000000000-0000000000000000-00"],
  ["__proto__", "1"],
  ["constructor", "1"],
  ["", ""],
];
/** Bytes that mean something to a reader of protobuf, JSON, SSE or UTF-8. */
const TELLING_BYTES = [0, 1, 0x0a, 0x0d, 0x12, 0x20, 0x22, 0x2c, 0x2d, 0x3a, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d, 0x7f, 0x80];
const MORE_BYTES = [0xc0, 0xe2, 0xed, 0xef, 0xf0, 0xf4, 0xff];
const INSERTED_BYTES_MAX = 40;
/** What numbers of a body are replaced by. */
const NUMBERS = [
  "1e308",
  "1e309",
  "-1e308",
  "0",
  "-0",
  "-1",
  "1.5",
  "9007199254740993",
  "1e-400",
  "9".repeat(400),
  "01",
  "1e",
  "NaN",
];
/** What is put into a body: pieces that are valid, nearly valid, or long. */
const PIECES = [
  '"model":"other",',
  '"model":null,',
  '"model":["m"],',
  '"m\\u006fdel":"escaped",',
  '"stream":true,',
  '"stream":"true",',
  '"messages":[],',
  '"messages":[{"role":"user","content":[{"type":"text"},7]}],',
  '"prompt":[[1,2],["x"]],',
  '"cache_salt":{"a":1},',
  '"usage":{"prompt_tokens":1e308,"completion_tokens":-1},',
  '{"a":',
  "[".repeat(300),
  "]".repeat(300),
  "\\ud800",
  "\u0000",
  "\ufeff",
  "data: ",
  "data: [DONE]\n\n",
  'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":1e308}}}\n\n',
  "\n\n",
  "\r\n",
  "x".repeat(5000),
  "𝔘".repeat(50),
];

/** Changes a stream: bytes of its messages, bodies in them, and which messages it has. */
export function mutate(base: Sequence, others: readonly Sequence[], random: Random): Mutated {
  let messages = [...base];
  if (random.oneIn(3)) messages = reordered(messages, random.of(others), random);
  if (random.oneIn(4)) messages[0] = withProtocolConfig(messages[0], random);
  let mutatedCount = 0;
  const mutated = messages.map((message) => {
    if (!random.oneIn(3)) return message;
    mutatedCount++;
    return mutatedMessage(message, random.of(random.of(others)), random);
  });
  if (mutatedCount === 0) {
    mutated[0] = mutatedMessage(mutated[0], random.of(random.of(others)), random);
    mutatedCount = 1;
  }
  return { messages: mutated, mutatedCount };
}

/** The first message as Envoy itself sends it: with the modes in which it sends bodies, those that do not exist among them. */
function withProtocolConfig(message: Uint8Array, random: Random): Uint8Array {
  const writer = new ProtoWriter();
  writer.reset();
  writer.number(2, random.below(7));
  writer.number(1, random.below(7));
  writer.close(11, 0);
  return Buffer.concat([message, writer.take()]);
}

function reordered(messages: Uint8Array[], other: Sequence, random: Random): Uint8Array[] {
  const at = random.below(messages.length);
  switch (random.below(5)) {
    case 0:
      return messages.length > 1 ? messages.toSpliced(at, 1) : messages;
    case 1:
      return messages.toSpliced(at, 0, messages[at]);
    case 2:
      return messages.toSpliced(at, 0, random.of(other));
    case 3:
      return [...messages.slice(0, at + 1), ...other];
    default: {
      const [moved] = messages.splice(at, 1);
      return messages.toSpliced(random.below(messages.length + 1), 0, moved);
    }
  }
}

function mutatedMessage(message: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  if (random.oneIn(5)) return mutatedBytes(message, other, random);
  const part = partOf(message);
  if (!part) return mutatedBytes(message, other, random);
  if (part.kind === "headers") return withHeaders(part.field, mutatedHeaders(part.headers, random), part.endOfStream);
  return withBody(part.field, mutatedBody(part.body, random), part.endOfStream !== random.oneIn(16));
}

/** Changes values, and adds, repeats or drops headers. */
function mutatedHeaders(headers: readonly HeaderField[], random: Random): readonly HeaderField[] {
  const at = random.below(headers.length + 1);
  const field = headers[at] as HeaderField | undefined;
  if (!field || random.oneIn(2)) {
    const [key, value] = random.of(HEADERS);
    return headers.toSpliced(at, random.below(2), { key, value: Buffer.from(value, "latin1") });
  }
  if (random.oneIn(3)) return headers.toSpliced(random.below(headers.length), 0, field);
  return headers.with(at, { ...field, value: mutatedBytes(field.value, field.value, random) });
}

/** Changes a few bytes: flips, replaces, inserts, drops, or joins what two messages have. */
export function mutatedBytes(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  let out = Buffer.from(bytes);
  for (let left = 1 + random.below(4); left > 0; left--) {
    const at = random.below(out.length + 1);
    switch (random.below(6)) {
      case 0:
        if (at < out.length) out[at] ^= 1 << random.below(8);
        break;
      case 1:
        if (at < out.length) out[at] = random.of(random.oneIn(2) ? TELLING_BYTES : MORE_BYTES);
        break;
      case 2:
        out = Buffer.concat([out.subarray(0, at), randomBytes(random), out.subarray(at)]);
        break;
      case 3:
        out = Buffer.concat([out.subarray(0, at), out.subarray(at + random.below(INSERTED_BYTES_MAX))]);
        break;
      case 4:
        out = out.subarray(0, at);
        break;
      default:
        out = Buffer.concat([out.subarray(0, at), other.subarray(random.below(other.length + 1))]);
    }
  }
  return out;
}

const randomBytes = (random: Random): Buffer =>
  Buffer.from(Array.from({ length: 1 + random.below(INSERTED_BYTES_MAX) }, () => random.below(256)));

/** Changes a body as JSON or as an event stream, by its text; now and then by its bytes. */
function mutatedBody(body: Uint8Array, random: Random): Uint8Array {
  if (random.oneIn(4)) return mutatedBytes(body, body, random);
  const text = Buffer.from(body).toString("latin1");
  const piece = Buffer.from(random.of(PIECES), "utf8").toString("latin1");
  const marks = [...text.matchAll(/[{}[\],:"]/g)];
  const at = marks.length > 0 ? random.of(marks).index + 1 : 0;
  const changed = (): string => {
    switch (random.below(4)) {
      case 0:
        return text.replaceAll(/(?<![\w"])-?\d+(\.\d+)?/g, (number) => (random.oneIn(2) ? random.of(NUMBERS) : number));
      case 1:
        return text.slice(0, at);
      case 2:
        return text.slice(0, at) + text.slice(0, random.below(text.length + 1)) + text.slice(at);
      default:
        return text.slice(0, at) + piece + text.slice(at);
    }
  };
  return Buffer.from(changed(), "latin1");
}

interface HeadersPart {
  readonly kind: "headers";
  readonly field: number;
  readonly headers: readonly HeaderField[];
  readonly endOfStream: boolean;
}
interface BodyPart {
  readonly kind: "body";
  readonly field: number;
  readonly body: Uint8Array;
  readonly endOfStream: boolean;
}

const NO_LIMITS = { headersMax: 1e6, headerBytesMax: 2 ** 31 };
/** Fields of ProcessingRequest by what they hold. */
const FIELDS: Readonly<Record<string, number>> = {
  requestHeaders: 2,
  responseHeaders: 3,
  requestBody: 4,
  responseBody: 5,
};

/** The headers or the body that a message brings; undefined when it brings neither or can't be read. */
function partOf(bytes: Uint8Array): HeadersPart | BodyPart | undefined {
  try {
    const message = decodeRequest(bytes, NO_LIMITS);
    const field = FIELDS[message.kind];
    if ("headers" in message) {
      return { kind: "headers", field, headers: message.headers, endOfStream: message.endOfStream };
    }
    if ("body" in message) return { kind: "body", field, body: message.body, endOfStream: message.endOfStream };
  } catch {
    // What is no message is changed as bytes.
  }
  return undefined;
}

/** A message of headers. @param field 2 of a request, 3 of a response */
function withHeaders(field: number, headers: readonly HeaderField[], endOfStream: boolean): Uint8Array {
  const writer = new ProtoWriter();
  writer.reset();
  if (endOfStream) writer.number(3, 1);
  const map = writer.mark();
  for (const { key, value } of headers.toReversed()) {
    const mark = writer.mark();
    writer.bytes(3, value);
    writer.text(1, key);
    writer.close(1, mark);
  }
  writer.close(1, map);
  writer.close(field, 0);
  return writer.take();
}

/** A message of one body. @param field 4 of a request, 5 of a response */
export function withBody(field: number, body: Uint8Array, endOfStream: boolean): Uint8Array {
  const writer = new ProtoWriter();
  writer.reset();
  if (endOfStream) writer.number(2, 1);
  writer.bytes(1, body);
  writer.close(field, 0);
  return writer.take();
}

import { REQUEST_MEDIA_MAX, type PromptMedia } from "../../core/media.ts";
import { ProtoReader, WIRE } from "../../core/proto-reader.ts";
import type { ByteSink } from "./byte-sink.ts";
import { clientHash } from "./client-hash.ts";
import { checkUtf8 } from "./proto-error.ts";

/** Fields of vLLM's protocol (package vllm.grpc.engine) that are read. */
const GENERATE = { requestId: 1, tokenized: 2, text: 3, samplingParams: 4, stream: 5, mmInputs: 7 } as const;
const TOKENIZED = { originalText: 1, inputIds: 2 } as const;
const MAX_TOKENS = 8;
const MM = { placeholders: 5, hashes: 6 } as const;
const RANGE = { offset: 1, length: 2 } as const;
const EMBED = { requestId: 1, tokenized: 2 } as const;
const PACKAGE = "vllm.grpc.engine";
const NO_BYTES: Uint8Array = new Uint8Array(0);

/** What routing reads of a GenerateRequest or EmbedRequest. */
export interface EngineRequest {
  readonly input: "none" | "text" | "token-ids";
  /** The prompt where the input is text: a view. */
  readonly text: Uint8Array;
  readonly stream: boolean;
  /** -1 when the client does not say. */
  readonly maxOutputTokens: number;
}

interface Range {
  readonly offsetTokens: number;
  readonly lengthTokens: number;
}

/** Where the prompt's parts go, when they are wanted: token ids as little-endian uint32, and the media. */
export interface PromptParts {
  readonly ids: ByteSink;
  readonly ranges: Range[];
  readonly hashes: string[];
}

/** Walks a GenerateRequest. Throws DecodeError when it is malformed. */
export function readGenerate(payload: Uint8Array, parts?: PromptParts): EngineRequest {
  let input: EngineRequest["input"] = "none";
  let text = NO_BYTES;
  let stream = false;
  let maxOutputTokens = -1;
  const reader = new ProtoReader(payload);
  while (reader.next()) {
    const { field, wire } = reader;
    if (field === GENERATE.stream && wire === WIRE.varint) stream = reader.bool();
    else if (wire !== WIRE.bytes) reader.skip();
    else if (field === GENERATE.requestId) readText(reader, "GenerateRequest.request_id");
    else if (field === GENERATE.samplingParams) maxOutputTokens = readMaxTokens(reader.message(), maxOutputTokens);
    else if (field === GENERATE.mmInputs) readMedia(reader.message(), parts);
    else if (field === GENERATE.text) {
      text = readText(reader, "GenerateRequest.text");
      input = "text";
    } else if (field === GENERATE.tokenized) {
      // Of the two inputs the later one counts; the same one again goes on.
      if (input === "text") parts?.ids.clear(0);
      input = "token-ids";
      readTokenized(reader.message(), parts?.ids);
    } else reader.skip();
  }
  return { input, text: input === "text" ? text : NO_BYTES, stream, maxOutputTokens };
}

/** Walks an EmbedRequest. Throws DecodeError when it is malformed. */
export function readEmbed(payload: Uint8Array, parts?: PromptParts): EngineRequest {
  let input: EngineRequest["input"] = "none";
  const reader = new ProtoReader(payload);
  while (reader.next()) {
    const { field, wire } = reader;
    if (wire !== WIRE.bytes) reader.skip();
    else if (field === EMBED.requestId) readText(reader, "EmbedRequest.request_id");
    else if (field === EMBED.tokenized) {
      input = "token-ids";
      readTokenized(reader.message(), parts?.ids);
    } else reader.skip();
  }
  return { input, text: NO_BYTES, stream: false, maxOutputTokens: -1 };
}

/** The media of a walked request by their offset: as many as there are placeholders, at most `REQUEST_MEDIA_MAX`. */
export function mediaOfParts({ ranges, hashes }: PromptParts): readonly PromptMedia[] {
  return ranges
    .map((range, i) => ({ modality: "image", hash: hashes[i] ?? "", ...range }))
    .sort((a, b) => a.offsetTokens - b.offsetTokens);
}

function readText(reader: ProtoReader, name: string): Uint8Array {
  const bytes = reader.bytes();
  checkUtf8(bytes, `${PACKAGE}.${name}`);
  return bytes;
}

/** Token ids, packed or one by one. */
function readTokenized(reader: ProtoReader, ids: ByteSink | undefined): void {
  while (reader.next()) {
    const { field, wire } = reader;
    if (field === TOKENIZED.originalText && wire === WIRE.bytes) readText(reader, "TokenizedInput.original_text");
    else if (field === TOKENIZED.inputIds && wire === WIRE.varint) readId(reader, ids);
    else if (field === TOKENIZED.inputIds && wire === WIRE.bytes) {
      const packed = reader.message();
      while (!packed.atEnd) readId(packed, ids);
    } else reader.skip();
  }
}

function readId(reader: ProtoReader, ids: ByteSink | undefined): void {
  const id = reader.varint();
  ids?.words(id, 1);
}

function readMaxTokens(reader: ProtoReader, before: number): number {
  let maxTokens = before;
  while (reader.next()) {
    if (reader.field === MAX_TOKENS && reader.wire === WIRE.varint) maxTokens = reader.varint();
    else reader.skip();
  }
  return maxTokens;
}

function readMedia(reader: ProtoReader, parts: PromptParts | undefined): void {
  while (reader.next()) {
    const { field, wire } = reader;
    if (field === MM.placeholders && wire === WIRE.bytes) {
      const range = readRange(reader.message());
      if (parts && parts.ranges.length < REQUEST_MEDIA_MAX) parts.ranges.push(range);
    } else if (field === MM.hashes && wire === WIRE.bytes) {
      const bytes = readText(reader, "MultimodalInputs.mm_hashes");
      if (parts && parts.hashes.length < REQUEST_MEDIA_MAX) parts.hashes.push(clientHash(bytes, 0, bytes.length));
    } else reader.skip();
  }
}

function readRange(reader: ProtoReader): Range {
  let offsetTokens = 0;
  let lengthTokens = 0;
  while (reader.next()) {
    const { field, wire } = reader;
    if (field === RANGE.offset && wire === WIRE.varint) offsetTokens = reader.varint();
    else if (field === RANGE.length && wire === WIRE.varint) lengthTokens = reader.varint();
    else reader.skip();
  }
  return { offsetTokens, lengthTokens };
}

/**
 * Puts a prompt together as the estimate tokeniser sees it (plugins.md 6.3): parts are noted first, so that the bytes
 * are copied once, into a buffer of the right size.
 */
import type { MediaSettings, PromptMedia } from "../../core/media.ts";
import { REQUEST_MEDIA_MAX } from "../../core/media.ts";
import type { PromptTokens } from "../../core/parser.ts";
import { xxh64 } from "../../core/xxh64.ts";
import { ByteSink } from "./byte-sink.ts";
import { appendGoJson } from "./go-json.ts";
import { appendString, stringBytes, type ByteRange } from "./json-string.ts";
import { endOf, isString, startOf, type JsonTape } from "./json-tape.ts";
import { audioTokens, imagePayloadTokens, imageUrlTokens, videoTokens } from "./media-estimate.ts";

/** Pseudo tokens that the media of one prompt may have together (16 MiB of bytes); what is over is not written. */
export const MEDIA_TOKENS_MAX = 1 << 22;
/** Scratch for the content of media is not kept over this. */
const SCRATCH_BYTES_KEPT_MAX = 1 << 20;

export type MediaKind = "image-url" | "image-payload" | "video" | "audio";
/** A part of a medium's content: a string's node (any other node counts as empty) or ASCII text. */
export type ContentPiece = number | string;

type Part =
  | { readonly kind: "text"; readonly node: number }
  | { readonly kind: "raw"; readonly node: number }
  | { readonly kind: "json"; readonly node: number }
  | { readonly kind: "ascii"; readonly text: string }
  | { readonly kind: "media"; readonly media: MediaKind; readonly content: readonly ContentPiece[] };

const MODALITIES = { "image-url": "image", "image-payload": "image", video: "video", audio: "audio" } as const;

const scratch = new ByteSink(0);
const hash = new Uint32Array(2);

export class PromptWriter {
  readonly #tape: JsonTape;
  readonly #header: (name: string) => string | undefined;
  readonly #settings: MediaSettings;
  readonly #parts: Part[] = [];
  #estimatedBytes = 0;
  #mediaTokensLeft = MEDIA_TOKENS_MAX;
  #media: PromptMedia[] | undefined;

  /** @param header Looks a request header up: some describe a video. */
  constructor(tape: JsonTape, header: (name: string) => string | undefined, settings: MediaSettings) {
    this.#tape = tape;
    this.#header = header;
    this.#settings = settings;
  }

  /** A string's decoded bytes; nothing when the node is none. */
  text(node: number): void {
    if (isString(this.#tape, node)) this.#add("text", node);
  }

  /** A value's bytes as they stand in the document; nothing for -1. */
  raw(node: number): void {
    this.#add("raw", node);
  }

  /** A value as Go marshals it; nothing for -1. */
  json(node: number): void {
    this.#add("json", node);
  }

  ascii(text: string): void {
    this.#parts.push({ kind: "ascii", text });
    this.#estimatedBytes += text.length;
  }

  /** A medium, known by its content. */
  media(media: MediaKind, ...content: readonly ContentPiece[]): void {
    this.#parts.push({ kind: "media", media, content });
  }

  /** The tokens of all parts, padded with zeros to whole tokens. */
  finish(): PromptTokens {
    const tape = this.#tape;
    const sink = new ByteSink((this.#estimatedBytes + 3) & ~3);
    for (const part of this.#parts) {
      if (part.kind === "text") appendString(tape, part.node, sink);
      else if (part.kind === "json") appendGoJson(tape, part.node, sink);
      else if (part.kind === "raw") sink.copy(tape.bytes, startOf(tape, part.node), endOf(tape, part.node));
      else if (part.kind === "ascii") sink.ascii(part.text);
      else this.#appendMedia(part.media, mediaContent(tape, part.content), sink);
    }
    const paddingBytes = sink.align();
    const bytes = sink.written();
    return { bytes, ...(paddingBytes > 0 && { paddingBytes }), ...(this.#media && { media: this.#media }) };
  }

  #add(kind: "text" | "raw" | "json", node: number): void {
    if (node < 0) return;
    this.#parts.push({ kind, node });
    this.#estimatedBytes += endOf(this.#tape, node) - startOf(this.#tape, node);
  }

  /** Media stand as the low half of their content's XXH64, once a token, from a token's boundary on. */
  #appendMedia(media: MediaKind, { bytes, start, end }: ByteRange, sink: ByteSink): void {
    const tokens = Math.min(this.#mediaTokensLeft, this.#countTokens(media, bytes, start, end));
    this.#mediaTokensLeft -= tokens;
    xxh64(bytes, start, end, hash, 0);
    sink.align();
    this.#note(MODALITIES[media], sink.length / 4, tokens);
    sink.words(hash[0], tokens);
  }

  #note(modality: string, offsetTokens: number, lengthTokens: number): void {
    const media = (this.#media ??= []);
    if (media.length < REQUEST_MEDIA_MAX) media.push({ modality, hash: hexOf(hash), offsetTokens, lengthTokens });
  }

  #countTokens(media: MediaKind, bytes: Uint8Array, start: number, end: number): number {
    if (media === "image-url") return imageUrlTokens(this.#settings, bytes, start, end);
    if (media === "image-payload") return imagePayloadTokens(this.#settings, bytes, start, end);
    return media === "video" ? videoTokens(this.#settings, this.#header) : audioTokens(end - start);
  }
}

/** A hash as Go prints it: lower-case hex without padding. */
export function hexOf([lo, hi]: Uint32Array): string {
  return hi === 0 ? lo.toString(16) : hi.toString(16) + lo.toString(16).padStart(8, "0");
}

function mediaContent(tape: JsonTape, pieces: readonly ContentPiece[]): ByteRange {
  const [first] = pieces;
  if (pieces.length === 1 && typeof first === "number" && isString(tape, first)) return stringBytes(tape, first);
  scratch.clear(SCRATCH_BYTES_KEPT_MAX);
  for (const piece of pieces) {
    if (typeof piece === "string") scratch.ascii(piece);
    else if (isString(tape, piece)) appendString(tape, piece, scratch);
  }
  return { bytes: scratch.bytes, start: 0, end: scratch.length };
}

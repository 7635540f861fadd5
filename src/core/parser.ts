/**
 * What a request parser is (`plugins/parsers`): it reads from a body what routing needs and nothing more.
 * Bodies stay bytes; only short spans (a model name, a flag) become strings.
 */

import type { MediaSettings, PromptMedia } from "./media.ts";

/** One prompt as the estimate tokeniser sees it: little-endian uint32 tokens, so the length is a multiple of 4. */
export interface PromptTokens {
  readonly bytes: Uint8Array;
  /** Zeros at its end that fill up the last token; absent when there are none. */
  readonly paddingBytes?: number;
  /** Its pictures, sounds and films in order, at most `REQUEST_MEDIA_MAX`; absent when it has none. */
  readonly media?: readonly PromptMedia[];
}

/** A parser's findings. `prompts()` is lazy: only plans that need a tokenised prompt pay for it. */
export interface ParsedRequest {
  readonly ok: true;
  /** Model named in the body; "" when absent or not a string. */
  readonly model: string;
  /** True when the body asks for a streamed answer. */
  readonly stream: boolean;
  /** Most output tokens that the client wants; -1 when it does not say. */
  readonly maxOutputTokens: number;
  /** Salt that keeps this prompt's cache apart; "" when absent. */
  readonly cacheSalt: string;
  /** True when `model` can be written into the body (the payload is a JSON object of a parser that rewrites). */
  readonly rewritable: boolean;
  /** True when the picker wants no callout for the response. */
  readonly skipResponse: boolean;
  /** The prompts' tokens; undefined when this API has no prompt to tokenise. May throw nothing. */
  prompts(): readonly PromptTokens[] | undefined;
}

/** A body that the parser refuses: answered as 400 `inference error: BadRequest - <message>`. */
export interface ParseFailure {
  readonly ok: false;
  readonly message: string;
}

export interface ParserInput {
  /** Request path without query. */
  readonly path: string;
  /** Value of a request header by lower-case name; undefined when absent. */
  header(name: string): string | undefined;
  readonly body: Uint8Array;
  /** How many tokens stand for media; default: `DEFAULT_MEDIA`. */
  readonly media?: MediaSettings;
}

/** Token counts that a model server reported. -1 where it said nothing. */
export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
}

/** Reads usage from an answer as it passes; keeps at most a bounded tail. */
export interface ResponseReader {
  /** Takes the next bytes of the body. */
  push(chunk: Uint8Array, endOfStream: boolean): void;
  /** Usage seen so far; undefined when none. */
  usage(): Usage | undefined;
}

/** `splice` writes the new name into the bytes; `stock` serialises the whole object again as the stock EPP does. */
export type RewriteMode = "splice" | "stock";

export interface Parser {
  readonly type: string;
  /** Path suffixes that it claims; none = it is the fallback. */
  readonly claims: readonly string[];
  parse(input: ParserInput): ParsedRequest | ParseFailure;
  /** The body with another model name, as parts to be sent in order. Only called when `rewritable`. */
  rewriteModel?(body: Uint8Array, model: string, mode: RewriteMode): readonly Uint8Array[];
  /**
   * A reader for one answer.
   *
   * @param eventStream its content type is text/event-stream
   * @param joins false to read each piece by itself, as the stock EPP does: an event cut in two tells nothing; default true
   */
  createResponseReader?(eventStream: boolean, joins?: boolean): ResponseReader;
}

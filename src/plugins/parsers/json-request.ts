/** What the parsers of JSON bodies share: from a body's bytes to a `ParsedRequest`. */
import { DEFAULT_MEDIA } from "../../core/media.ts";
import type { ParseFailure, ParsedRequest, ParserInput, PromptTokens } from "../../core/parser.ts";
import { findMembers, type KeySet } from "./json-members.ts";
import { readNumber } from "./json-number.ts";
import { scanJson } from "./json-scanner.ts";
import { scanObject } from "./json-object.ts";
import { readString } from "./json-string.ts";
import { JsonTape, LITERAL_TRUE, isNumber, isString, kindOf } from "./json-tape.ts";
import { PromptWriter } from "./prompt-writer.ts";

/** Places of the members that every API has, in its key set. */
const MODEL = 0;
export const STREAM = 1;
export const CACHE_SALT = 2;
/** Names for these places: key sets start with them. */
export const COMMON_KEYS = ["model", "stream", "cache_salt"] as const;

/** One API's reading of a body. `members` holds the values' nodes in the order of `keys`. */
export interface JsonApi {
  readonly keys: KeySet;
  /** Why the body is refused; "" when it is fine. */
  check(tape: JsonTape, members: Int32Array): string;
  /** Most output tokens that the client wants; -1 when it does not say. */
  maxOutputTokens(tape: JsonTape, members: Int32Array): number;
  /** The prompts' tokens; absent when the API has no prompt to tokenise. */
  prompts?(tape: JsonTape, members: Int32Array, newWriter: () => PromptWriter): readonly PromptTokens[];
}

/** The one tape of this thread: it indexes the body that was parsed last. */
const tape = new JsonTape();

/** The tape of a body; scanned again unless this very body, unchanged, was scanned last. */
export function tapeOf(body: Uint8Array): JsonTape {
  if (tape.bytes !== body || tape.error !== 0) scanJson(tape, body);
  return tape;
}

/**
 * Parses a body by an API's rules. A body that is no JSON object is refused with Go's text behind `jsonErrorPrefix`.
 */
export function parseJsonRequest(
  api: JsonApi,
  input: ParserInput,
  jsonErrorPrefix: string,
): ParsedRequest | ParseFailure {
  const error = scanJsonBody(input.body);
  return error === "" ? readJsonRequest(api, input) : { ok: false, message: jsonErrorPrefix + error };
}

/** Indexes a body on this thread's tape; "" or Go's error, as `scanObject`. */
export function scanJsonBody(body: Uint8Array, numbers: "finite" | "any" = "finite"): string {
  return scanObject(tape, body, numbers);
}

/** The second half of `parseJsonRequest`, for a body that `scanJsonBody` just accepted. */
export function readJsonRequest(api: JsonApi, input: ParserInput): ParsedRequest | ParseFailure {
  const members = findMembers(tape, 0, api.keys);
  const message = api.check(tape, members);
  if (message !== "") return { ok: false, message };
  const { generation } = tape;
  return {
    ok: true,
    model: stringMember(members[MODEL]),
    stream: members[STREAM] >= 0 && kindOf(tape, members[STREAM]) === LITERAL_TRUE,
    maxOutputTokens: api.maxOutputTokens(tape, members),
    cacheSalt: stringMember(members[CACHE_SALT]),
    rewritable: true,
    skipResponse: false,
    prompts() {
      if (api.prompts === undefined) return undefined;
      // Another body may have been parsed since; the nodes of this one stay the same.
      if (tape.generation !== generation) scanJson(tape, input.body);
      const settings = input.media ?? DEFAULT_MEDIA;
      return api.prompts(tape, members, () => new PromptWriter(tape, (name) => input.header(name), settings));
    },
  };
}

/** The first of these members that is a whole number of at least 0; -1 when none is. */
export function firstLimit(source: JsonTape, ...nodes: readonly number[]): number {
  for (const node of nodes) {
    if (!isNumber(source, node)) continue;
    const value = readNumber(source, node);
    if (value >= 0 && Number.isInteger(value)) return Math.min(value, Number.MAX_SAFE_INTEGER);
  }
  return -1;
}

function stringMember(node: number): string {
  return isString(tape, node) ? readString(tape, node) : "";
}

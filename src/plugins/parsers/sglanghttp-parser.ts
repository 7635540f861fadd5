import type { Parser } from "../../core/parser.ts";
import { kindName } from "./json-error.ts";
import { findMembers, keySet } from "./json-members.ts";
import { readUint32 } from "./json-number.ts";
import { CACHE_SALT, firstLimit, readJsonRequest, scanJsonBody, STREAM, type JsonApi } from "./json-request.ts";
import {
  NOT_INTEGER,
  OPEN_ARRAY,
  QUOTE,
  countOf,
  firstOf,
  flagsOf,
  isBooleanOrNothing,
  isKindOrNothing,
  isNothing,
  isNumber,
  kindOf,
  nextOf,
  type JsonTape,
} from "./json-tape.ts";
import { tokenIds } from "./openai-prompt.ts";
import { trimPath } from "./resolve-parser.ts";
import { createSglangUsageReader } from "./sglanghttp-usage.ts";

const PATH = "generate";
const INPUT_IDS = 3;
const SAMPLING_PARAMS = 4;
const MAX_NEW_TOKENS = keySet("max_new_tokens");
const INVALID = "invalid generate request: ";
const NOT_IDS = `${INVALID}input_ids must be an array of uint32 integers`;
const MINUS = 0x2d;

/** SGLang's `/generate`: the prompt comes as token ids; `extra_key` keeps its cache apart. */
const generateApi: JsonApi = {
  keys: keySet("model", "stream", "extra_key", "input_ids", "sampling_params"),

  check(tape, members) {
    const stream = members[STREAM];
    if (!isBooleanOrNothing(tape, stream)) {
      return `${INVALID}json: cannot unmarshal ${kindName(kindOf(tape, stream))} into Go struct field .stream of type bool`;
    }
    const ids = members[INPUT_IDS];
    if (isNothing(tape, ids)) return `${INVALID}input_ids must be provided`;
    if (!isKindOrNothing(tape, members[CACHE_SALT], QUOTE)) {
      return "unsupported generate request: extra_key must be a string";
    }
    if (kindOf(tape, ids) !== OPEN_ARRAY || !everyElementIsId(tape, ids)) return NOT_IDS;
    return countOf(tape, ids) === 0 ? `${INVALID}input_ids cannot be empty` : "";
  },

  maxOutputTokens(tape, members) {
    const [limit] = findMembers(tape, members[SAMPLING_PARAMS], MAX_NEW_TOKENS);
    return isInteger(tape, limit) ? firstLimit(tape, limit) : -1;
  },

  prompts: (tape, members) => [tokenIds(tape, members[INPUT_IDS])],
};

/** Null counts as 0, as in Go; a fraction, an exponent or a sign does not pass. */
function everyElementIsId(tape: JsonTape, array: number): boolean {
  let node = firstOf(array);
  for (let i = countOf(tape, array); i > 0; i--) {
    const isId = isInteger(tape, node) && kindOf(tape, node) !== MINUS && readUint32(tape, node) >= 0;
    if (!isId && !isNothing(tape, node)) return false;
    node = nextOf(tape, node);
  }
  return true;
}

const isInteger = (tape: JsonTape, node: number): boolean =>
  isNumber(tape, node) && (flagsOf(tape, node) & NOT_INTEGER) === 0;

/**
 * SGLang's own HTTP API. Takes `/generate` alone, though it claims every path that ends so. It names no model, so none
 * is read or rewritten.
 */
export const sglanghttpParser: Parser = {
  type: "sglanghttp-parser",
  claims: [PATH],
  parse(input) {
    const path = trimPath(input.path);
    if (path !== PATH && path !== `/${PATH}`) return { ok: false, message: `unsupported path: ${path}` };
    const error = scanJsonBody(input.body, "any");
    if (error !== "") return { ok: false, message: INVALID + error };
    const parsed = readJsonRequest(generateApi, input);
    return parsed.ok ? { ...parsed, model: "", rewritable: false } : parsed;
  },
  createResponseReader: createSglangUsageReader,
};

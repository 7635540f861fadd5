import type { Parser } from "../../core/parser.ts";
import { COMMON_KEYS, CACHE_SALT, firstLimit, parseJsonRequest, type JsonApi } from "./json-request.ts";
import { kindName } from "./json-error.ts";
import { findMembers, keySet } from "./json-members.ts";
import { goPrintNumber, readNumber, readUint32 } from "./json-number.ts";
import { rewriteModel } from "./model-rewrite.ts";
import { createOpenAiUsageReader } from "./openai-usage.ts";
import { tokenIds } from "./openai-prompt.ts";
import { generateMedia, isGenerateFeatures } from "./vllmhttp-features.ts";
import {
  OPEN_ARRAY,
  QUOTE,
  countOf,
  firstOf,
  isKindOrNothing,
  isNothing,
  isNumber,
  kindOf,
  nextOf,
  type JsonTape,
} from "./json-tape.ts";

const PATH = "inference/v1/generate";
const TOKEN_IDS = 3;
const SAMPLING_PARAMS = 4;
const FEATURES = 5;
const MAX_TOKENS = keySet("max_tokens");
const INVALID = "invalid generate request: ";

/** vLLM's `/inference/v1/generate`: the prompt comes as token ids. */
const generateApi: JsonApi = {
  keys: keySet(...COMMON_KEYS, "token_ids", "sampling_params", "features"),

  check(tape, members) {
    const wrongKind = wrongKindText(tape, members);
    if (wrongKind !== "") return `${INVALID}json: cannot unmarshal ${wrongKind}`;
    const ids = members[TOKEN_IDS];
    if (isNothing(tape, ids) || countOf(tape, ids) === 0) return `${INVALID}must have non-empty token_ids field`;
    let node = firstOf(ids);
    for (let i = 0; i < countOf(tape, ids); i++) {
      if (isNumber(tape, node) && readUint32(tape, node) < 0) {
        return `${INVALID}token_ids[${i}]: invalid value ${goPrintNumber(readNumber(tape, node))}`;
      }
      node = nextOf(tape, node);
    }
    return "";
  },

  maxOutputTokens(tape, members) {
    return firstLimit(tape, ...findMembers(tape, members[SAMPLING_PARAMS], MAX_TOKENS));
  },

  prompts(tape, members) {
    const prompt = tokenIds(tape, members[TOKEN_IDS]);
    const media = generateMedia(tape, members[FEATURES]);
    return [media.length > 0 ? { ...prompt, media } : prompt];
  },
};

/** Which member is of another kind than Go's decoder takes; "" when none. */
function wrongKindText(tape: JsonTape, members: Int32Array): string {
  const ids = members[TOKEN_IDS];
  if (!isKindOrNothing(tape, ids, OPEN_ARRAY)) return mismatch(tape, ids, ".token_ids of type []float64");
  if (!isKindOrNothing(tape, members[CACHE_SALT], QUOTE)) {
    return mismatch(tape, members[CACHE_SALT], ".cache_salt of type string");
  }
  if (!isGenerateFeatures(tape, members[FEATURES])) return "value into Go struct field .features";
  if (isNothing(tape, ids)) return "";
  let node = firstOf(ids);
  for (let i = countOf(tape, ids); i > 0; i--) {
    if (!isNothing(tape, node) && !isNumber(tape, node)) return mismatch(tape, node, ".token_ids of type float64");
    node = nextOf(tape, node);
  }
  return "";
}

function mismatch(tape: JsonTape, node: number, field: string): string {
  return `${kindName(kindOf(tape, node))} into Go struct field ${field}`;
}

/** vLLM's own HTTP API beside OpenAI's. Its answers report usage as OpenAI's do. */
export const vllmhttpParser: Parser = {
  type: "vllmhttp-parser",
  claims: [PATH],
  parse(input) {
    // The table passes a trailing slash over, this parser does not (recorded).
    if (!input.path.endsWith(`/${PATH}`)) return { ok: false, message: `unsupported path: ${input.path}` };
    return parseJsonRequest(generateApi, input, "");
  },
  rewriteModel,
  createResponseReader: createOpenAiUsageReader,
};

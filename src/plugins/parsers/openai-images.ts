import { COMMON_KEYS, type JsonApi } from "./json-request.ts";
import { keySet } from "./json-members.ts";
import { promptForm } from "./openai-prompt.ts";
import { NOT_INTEGER, QUOTE, flagsOf, isKindOrNothing, isNothing, isNumber, type JsonTape } from "./json-tape.ts";
import { readNumber } from "./json-number.ts";

const PROMPT = 3;
const SIZE = 4;
const COUNT = 5;
const STEPS = 6;
/** 2^63. */
const INT64_MAX = 9_223_372_036_854_775_808;

/** `/images/generations`: checked, but it has no prompt for a prefix cache. */
export const imagesApi: JsonApi = {
  keys: keySet(...COMMON_KEYS, "prompt", "size", "n", "num_inference_steps"),

  check(tape, members) {
    const fine =
      promptForm(tape, members[PROMPT]) === "string" &&
      isKindOrNothing(tape, members[SIZE], QUOTE) &&
      isInt64OrNothing(tape, members[COUNT]) &&
      isInt64OrNothing(tape, members[STEPS]);
    return fine ? "" : "invalid images generations request: must have prompt field";
  },

  maxOutputTokens() {
    return -1;
  },
};

/** Absent, null, or a number written as an integer of 64 bits. */
function isInt64OrNothing(tape: JsonTape, node: number): boolean {
  if (isNothing(tape, node)) return true;
  if (!isNumber(tape, node) || (flagsOf(tape, node) & NOT_INTEGER) !== 0) return false;
  return Math.abs(readNumber(tape, node)) <= INT64_MAX;
}

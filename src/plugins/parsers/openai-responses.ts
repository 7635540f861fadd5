import { CACHE_SALT, COMMON_KEYS, firstLimit, type JsonApi } from "./json-request.ts";
import { keySet } from "./json-members.ts";
import { QUOTE, isKindOrNothing, isNothing } from "./json-tape.ts";

const MAX_OUTPUT_TOKENS = 3;
const INPUT = 4;
const INSTRUCTIONS = 5;
const TOOLS = 6;

/** `/responses`: the parts that are there, marshalled as Go does `[{"instructions"}, {"tools"}, {"input"}]`. */
export const responsesApi: JsonApi = {
  keys: keySet(...COMMON_KEYS, "max_output_tokens", "input", "instructions", "tools"),

  check(tape, members) {
    const fine = isKindOrNothing(tape, members[CACHE_SALT], QUOTE) && !isNothing(tape, members[INPUT]);
    return fine ? "" : "invalid responses request: must have input field";
  },

  maxOutputTokens(tape, members) {
    return firstLimit(tape, members[MAX_OUTPUT_TOKENS]);
  },

  prompts(tape, members, newWriter) {
    const writer = newWriter();
    let before = "[";
    for (const [name, member] of [
      ["instructions", INSTRUCTIONS],
      ["tools", TOOLS],
      ["input", INPUT],
    ] as const) {
      if (isNothing(tape, members[member])) continue;
      writer.ascii(`${before}{"${name}":`);
      writer.json(members[member]);
      before = "},";
    }
    writer.ascii("}]");
    return [writer.finish()];
  },
};

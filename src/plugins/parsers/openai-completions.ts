import { CACHE_SALT, COMMON_KEYS, firstLimit, type JsonApi } from "./json-request.ts";
import { keySet } from "./json-members.ts";
import { promptForm, promptFormByStart, tokenIds } from "./openai-prompt.ts";
import { QUOTE, countOf, firstOf, isKindOrNothing, nextOf } from "./json-tape.ts";

const MAX_TOKENS = 3;
const PROMPT = 4;

/** `/completions` and its `/render`: a prompt of text, one for each string, or token ids as they are. */
export const completionsApi: JsonApi = {
  keys: keySet(...COMMON_KEYS, "max_tokens", "prompt"),

  check(tape, members) {
    const fine = isKindOrNothing(tape, members[CACHE_SALT], QUOTE) && promptForm(tape, members[PROMPT]) !== "invalid";
    return fine ? "" : "invalid completions request: must have prompt field";
  },

  maxOutputTokens(tape, members) {
    return firstLimit(tape, members[MAX_TOKENS]);
  },

  prompts(tape, members, newWriter) {
    const prompt = members[PROMPT];
    const form = promptFormByStart(tape, prompt);
    if (form === "token-ids") return [tokenIds(tape, prompt)];
    const prompts = [];
    const count = form === "strings" ? countOf(tape, prompt) : 1;
    for (let node = form === "strings" ? firstOf(prompt) : prompt; prompts.length < count; node = nextOf(tape, node)) {
      const writer = newWriter();
      writer.text(node);
      prompts.push(writer.finish());
    }
    return prompts;
  },
};

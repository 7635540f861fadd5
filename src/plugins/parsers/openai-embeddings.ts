import { CACHE_SALT, COMMON_KEYS, type JsonApi } from "./json-request.ts";
import { keySet } from "./json-members.ts";
import { promptForm, promptFormByStart, tokenIds } from "./openai-prompt.ts";
import { QUOTE, isKindOrNothing } from "./json-tape.ts";

const INPUT = 3;

/**
 * `/embeddings`: token ids as they are. Text stands as Go marshals the stock EPP's struct of it, which has a field for
 * each form: `{"Raw":"text","Strings":null,"TokenIDs":null}`.
 */
export const embeddingsApi: JsonApi = {
  keys: keySet(...COMMON_KEYS, "input"),

  check(tape, members) {
    const fine = isKindOrNothing(tape, members[CACHE_SALT], QUOTE) && promptForm(tape, members[INPUT]) !== "invalid";
    return fine ? "" : "invalid embeddings request: must have input field";
  },

  maxOutputTokens() {
    return -1;
  },

  prompts(tape, members, newWriter) {
    const input = members[INPUT];
    const form = promptFormByStart(tape, input);
    if (form === "token-ids") return [tokenIds(tape, input)];
    const writer = newWriter();
    writer.ascii(form === "string" ? '{"Raw":' : '{"Raw":"","Strings":');
    writer.json(input);
    writer.ascii(form === "string" ? ',"Strings":null,"TokenIDs":null}' : ',"TokenIDs":null}');
    return [writer.finish()];
  },
};

import { CACHE_SALT, COMMON_KEYS, type JsonApi } from "./json-request.ts";
import { findMembers, keySet } from "./json-members.ts";
import type { PromptWriter } from "./prompt-writer.ts";
import {
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  countOf,
  endOf,
  firstOf,
  isKindOrNothing,
  isNothing,
  kindOf,
  nextOf,
  startOf,
  type JsonTape,
} from "./json-tape.ts";

const ITEMS = 3;
const METADATA = 4;
const ITEM_NAMES = ["type", "role", "content"] as const;
const ITEM_KEYS = keySet(...ITEM_NAMES);
const CONTENT = 2;

/** `/conversations`: the items' type, role and content as Go marshals them, empty ones left out. */
export const conversationsApi: JsonApi = {
  keys: keySet(...COMMON_KEYS, "items", "metadata"),

  check(tape, members) {
    return isConversation(tape, members) ? "" : "invalid conversations request: must have items field";
  },

  maxOutputTokens() {
    return -1;
  },

  prompts(tape, members, newWriter) {
    const writer = newWriter();
    let item = firstOf(members[ITEMS]);
    for (let i = countOf(tape, members[ITEMS]), before = "["; i > 0; i--, before = ",") {
      writer.ascii(before);
      writeItem(tape, item, writer);
      item = nextOf(tape, item);
    }
    writer.ascii("]");
    return [writer.finish()];
  },
};

function isConversation(tape: JsonTape, members: Int32Array): boolean {
  const items = members[ITEMS];
  if (items < 0 || kindOf(tape, items) !== OPEN_ARRAY || countOf(tape, items) === 0) return false;
  let item = firstOf(items);
  for (let i = countOf(tape, items); i > 0; i--) {
    const [type, role] = findMembers(tape, item, ITEM_KEYS);
    const fine =
      isKindOrNothing(tape, item, OPEN_OBJECT) &&
      isKindOrNothing(tape, type, QUOTE) &&
      isKindOrNothing(tape, role, QUOTE);
    if (!fine) return false;
    item = nextOf(tape, item);
  }
  return isKindOrNothing(tape, members[CACHE_SALT], QUOTE) && isKindOrNothing(tape, members[METADATA], OPEN_OBJECT);
}

function writeItem(tape: JsonTape, item: number, writer: PromptWriter): void {
  const found = findMembers(tape, item, ITEM_KEYS);
  let before = "{";
  for (const [i, name] of ITEM_NAMES.entries()) {
    const node = found[i];
    const isEmptyString = i !== CONTENT && node >= 0 && endOf(tape, node) - startOf(tape, node) === 2;
    if (isNothing(tape, node) || isEmptyString) continue;
    writer.ascii(`${before}"${name}":`);
    writer.json(node);
    before = ",";
  }
  writer.ascii(before === "{" ? "{}" : "}");
}

import { CACHE_SALT, COMMON_KEYS, firstLimit, type JsonApi } from "./json-request.ts";
import { kindName } from "./json-error.ts";
import { isAnthropicContent, writeContent, writeSystem } from "./anthropic-content.ts";
import { findMembers, keySet } from "./json-members.ts";
import {
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  countOf,
  firstOf,
  isKindOrNothing,
  isNothing,
  kindOf,
  nextOf,
  type JsonTape,
} from "./json-tape.ts";

const MAX_TOKENS = 3;
const MESSAGES = 4;
const SYSTEM = 5;
const TOOLS = 6;
const ROLE = 0;
const CONTENT = 1;
const MESSAGE_KEYS = keySet("role", "content");
const PREFIX = "error parsing messages request: ";
const BAD_CONTENT = `${PREFIX}anthropic content: must be a string or an array of content blocks`;

/** `/messages`: one prompt of tools, system text, then each message's role and content. */
export const messagesApi: JsonApi = {
  keys: keySet(...COMMON_KEYS, "max_tokens", "messages", "system", "tools"),

  check(tape, members) {
    const messages = members[MESSAGES];
    if (!isKindOrNothing(tape, members[CACHE_SALT], QUOTE))
      return mismatch(tape, members[CACHE_SALT], "cache_salt", "string");
    if (!isKindOrNothing(tape, members[TOOLS], OPEN_ARRAY)) {
      return mismatch(tape, members[TOOLS], "tools", "[]interface {}");
    }
    if (!isAnthropicContent(tape, members[SYSTEM])) return BAD_CONTENT;
    if (!isKindOrNothing(tape, messages, OPEN_ARRAY)) {
      return mismatch(tape, messages, "messages", "[]requesthandling.AnthropicMessage");
    }
    if (isNothing(tape, messages) || countOf(tape, messages) === 0) {
      return "invalid messages request: must have at least one message";
    }
    return checkMessages(tape, messages);
  },

  maxOutputTokens(tape, members) {
    return firstLimit(tape, members[MAX_TOKENS]);
  },

  prompts(tape, members, newWriter) {
    const writer = newWriter();
    const tools = members[TOOLS];
    if (!isNothing(tape, tools) && countOf(tape, tools) > 0) writer.json(tools);
    writeSystem(tape, members[SYSTEM], writer);
    let message = firstOf(members[MESSAGES]);
    for (let i = countOf(tape, members[MESSAGES]); i > 0; i--) {
      const found = findMembers(tape, message, MESSAGE_KEYS);
      writer.text(found[ROLE]);
      writeContent(tape, found[CONTENT], writer);
      message = nextOf(tape, message);
    }
    return [writer.finish()];
  },
};

function checkMessages(tape: JsonTape, messages: number): string {
  let message = firstOf(messages);
  for (let i = countOf(tape, messages); i > 0; i--) {
    if (!isKindOrNothing(tape, message, OPEN_OBJECT)) {
      return mismatch(tape, message, "messages", "requesthandling.AnthropicMessage");
    }
    const found = findMembers(tape, message, MESSAGE_KEYS);
    if (!isKindOrNothing(tape, found[ROLE], QUOTE)) return mismatch(tape, found[ROLE], "messages.role", "string");
    if (!isAnthropicContent(tape, found[CONTENT])) return BAD_CONTENT;
    message = nextOf(tape, message);
  }
  return "";
}

/** Go's text for a member of a wrong kind. */
function mismatch(tape: JsonTape, node: number, field: string, type: string): string {
  const kind = kindName(kindOf(tape, node));
  return `${PREFIX}json: cannot unmarshal ${kind} into Go struct field MessagesRequest.${field} of type ${type}`;
}

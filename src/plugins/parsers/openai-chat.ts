import { COMMON_KEYS, CACHE_SALT, firstLimit, type JsonApi } from "./json-request.ts";
import { findMembers, keySet } from "./json-members.ts";
import {
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  countOf,
  firstOf,
  isBooleanOrNothing,
  isKindOrNothing,
  isNothing,
  isString,
  kindOf,
  nextOf,
  type JsonTape,
} from "./json-tape.ts";
import { stringEquals } from "./json-string.ts";
import type { PromptWriter } from "./prompt-writer.ts";

const MAX_COMPLETION_TOKENS = 3;
const MAX_TOKENS = 4;
const MESSAGES = 5;
const TOOLS = 6;
const DOCUMENTS = 7;
const CHAT_TEMPLATE = 8;
const TEMPLATE_ARGUMENTS = 9;
const FIRST_SWITCH = 10;
const KEYS = keySet(
  ...COMMON_KEYS,
  "max_completion_tokens",
  "max_tokens",
  "messages",
  "tools",
  "documents",
  "chat_template",
  "chat_template_kwargs",
  "return_assistant_tokens_mask",
  "continue_final_message",
  "add_generation_prompt",
);

const ROLE = 0;
const CONTENT = 1;
const TOOL_CALLS = 2;
const MESSAGE_KEYS = keySet("role", "content", "tool_calls");

const TYPE = 0;
const TEXT = 1;
const IMAGE_URL = 2;
const VIDEO_URL = 3;
const INPUT_AUDIO = 4;
const BLOCK_KEYS = keySet("type", "text", "image_url", "video_url", "input_audio");
const URL_KEYS = keySet("url");
const AUDIO_KEYS = keySet("data", "format");

/** `/chat/completions` and its `/render`: one prompt of tools, then each message's role and content. */
export const chatApi: JsonApi = {
  keys: KEYS,

  check(tape, members) {
    return isChat(tape, members) ? "" : "invalid chat completions request: must have valid messages field";
  },

  maxOutputTokens(tape, members) {
    return firstLimit(tape, members[MAX_COMPLETION_TOKENS], members[MAX_TOKENS]);
  },

  prompts(tape, members, newWriter) {
    const writer = newWriter();
    const tools = members[TOOLS];
    if (!isNothing(tape, tools) && countOf(tape, tools) > 0) writer.json(tools);
    let message = firstOf(members[MESSAGES]);
    for (let i = countOf(tape, members[MESSAGES]); i > 0; i--) {
      writeMessage(tape, message, writer);
      message = nextOf(tape, message);
    }
    return [writer.finish()];
  },
};

function isChat(tape: JsonTape, members: Int32Array): boolean {
  const messages = members[MESSAGES];
  if (messages < 0 || kindOf(tape, messages) !== OPEN_ARRAY || countOf(tape, messages) === 0) return false;
  for (let i = FIRST_SWITCH; i < KEYS.length; i++) if (!isBooleanOrNothing(tape, members[i])) return false;
  return (
    isKindOrNothing(tape, members[CACHE_SALT], QUOTE) &&
    isKindOrNothing(tape, members[TOOLS], OPEN_ARRAY) &&
    isKindOrNothing(tape, members[DOCUMENTS], OPEN_ARRAY) &&
    isKindOrNothing(tape, members[CHAT_TEMPLATE], QUOTE) &&
    isKindOrNothing(tape, members[TEMPLATE_ARGUMENTS], OPEN_OBJECT) &&
    everyElement(tape, messages, isMessage)
  );
}

function isMessage(tape: JsonTape, node: number): boolean {
  const found = findMembers(tape, node, MESSAGE_KEYS);
  return (
    isKindOrNothing(tape, found[ROLE], QUOTE) &&
    isKindOrNothing(tape, found[TOOL_CALLS], OPEN_ARRAY) &&
    isContent(tape, found[CONTENT])
  );
}

/** Absent, null, a string, or an array of content blocks. */
function isContent(tape: JsonTape, node: number): boolean {
  if (isKindOrNothing(tape, node, QUOTE)) return true;
  return kindOf(tape, node) === OPEN_ARRAY && everyElement(tape, node, isBlock);
}

function isBlock(tape: JsonTape, node: number): boolean {
  const found = findMembers(tape, node, BLOCK_KEYS);
  for (let i = IMAGE_URL; i < BLOCK_KEYS.length; i++) {
    if (!isKindOrNothing(tape, found[i], OPEN_OBJECT)) return false;
    const strings = findMembers(tape, found[i], i === INPUT_AUDIO ? AUDIO_KEYS : URL_KEYS);
    if (!strings.every((string) => isKindOrNothing(tape, string, QUOTE))) return false;
  }
  return isKindOrNothing(tape, found[TYPE], QUOTE) && isKindOrNothing(tape, found[TEXT], QUOTE);
}

/** True when every element of an array is null or an object that passes. */
function everyElement(tape: JsonTape, array: number, passes: (tape: JsonTape, node: number) => boolean): boolean {
  let node = firstOf(array);
  for (let i = countOf(tape, array); i > 0; i--) {
    if (!isKindOrNothing(tape, node, OPEN_OBJECT) || !passes(tape, node)) return false;
    node = nextOf(tape, node);
  }
  return true;
}

function writeMessage(tape: JsonTape, message: number, writer: PromptWriter): void {
  const found = findMembers(tape, message, MESSAGE_KEYS);
  const content = found[CONTENT];
  writer.text(found[ROLE]);
  if (isNothing(tape, content)) return;
  if (isString(tape, content)) {
    writer.text(content);
    return;
  }
  let block = firstOf(content);
  for (let i = countOf(tape, content); i > 0; i--) {
    writeBlock(tape, block, writer);
    block = nextOf(tape, block);
  }
}

function writeBlock(tape: JsonTape, block: number, writer: PromptWriter): void {
  const found = findMembers(tape, block, BLOCK_KEYS);
  const type = found[TYPE];
  if (stringEquals(tape, type, "text")) {
    writer.text(found[TEXT]);
  } else if (stringEquals(tape, type, "image_url")) {
    writer.media("image-url", findMembers(tape, found[IMAGE_URL], URL_KEYS)[0]);
  } else if (stringEquals(tape, type, "video_url")) {
    writer.media("video", findMembers(tape, found[VIDEO_URL], URL_KEYS)[0]);
  } else if (stringEquals(tape, type, "input_audio") || stringEquals(tape, type, "audio_url")) {
    const [data, format] = findMembers(tape, found[INPUT_AUDIO], AUDIO_KEYS);
    writer.media("audio", data, format);
  }
}

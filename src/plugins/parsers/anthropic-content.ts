/** Content of Anthropic's messages: a string or an array of blocks. */
import { findMembers, keySet } from "./json-members.ts";
import {
  isString,
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
import { stringEquals, stringStartsWith } from "./json-string.ts";
import type { ContentPiece, PromptWriter } from "./prompt-writer.ts";

/** Claude Code's text block with a hash of each request: it must not spoil the prefix cache. */
const BILLING_HEADER = "x-anthropic-billing-header";
const DEFAULT_MEDIA_TYPE = "image/jpeg";

const TYPE = 0;
const TEXT = 1;
const THINKING = 2;
const ID = 3;
const NAME = 4;
const INPUT = 5;
const SOURCE = 6;
const CONTENT = 7;
const BLOCK_KEYS = keySet("type", "text", "thinking", "id", "name", "input", "source", "content");
/** Of these only strings are taken. */
const STRING_MEMBERS = [TYPE, TEXT, THINKING, ID, NAME];

const SOURCE_TYPE = 0;
const MEDIA_TYPE = 1;
const DATA = 2;
const URL = 3;
const SOURCE_KEYS = keySet("type", "media_type", "data", "url");

/** True for what the stock EPP takes as content; null and an absent member are empty content. */
export function isAnthropicContent(tape: JsonTape, node: number): boolean {
  // A tool's result holds content again: a list instead of recursion, which 10,000 levels would exhaust.
  const pending = [node];
  for (let content = pending.pop(); content !== undefined; content = pending.pop()) {
    if (isKindOrNothing(tape, content, QUOTE)) continue;
    if (kindOf(tape, content) !== OPEN_ARRAY) return false;
    let block = firstOf(content);
    for (let i = countOf(tape, content); i > 0; i--) {
      if (!isKindOrNothing(tape, block, OPEN_OBJECT)) return false;
      const found = findMembers(tape, block, BLOCK_KEYS);
      if (!isBlock(tape, found)) return false;
      pending.push(found[CONTENT]);
      block = nextOf(tape, block);
    }
  }
  return true;
}

function isBlock(tape: JsonTape, found: Int32Array): boolean {
  const source = findMembers(tape, found[SOURCE], SOURCE_KEYS);
  return (
    STRING_MEMBERS.every((i) => isKindOrNothing(tape, found[i], QUOTE)) &&
    isKindOrNothing(tape, found[SOURCE], OPEN_OBJECT) &&
    source.every((value) => isKindOrNothing(tape, value, QUOTE))
  );
}

/** The system prompt's text: of blocks those of type text, without the billing header. */
export function writeSystem(tape: JsonTape, node: number, writer: PromptWriter): void {
  if (isString(tape, node)) writer.text(node);
  forEachBlock(tape, node, (block) => {
    if (stringEquals(tape, block[TYPE], "text") && !stringStartsWith(tape, block[TEXT], BILLING_HEADER)) {
      writer.text(block[TEXT]);
    }
  });
}

/** A message's content. */
export function writeContent(tape: JsonTape, node: number, writer: PromptWriter): void {
  if (isString(tape, node)) writer.text(node);
  forEachBlock(tape, node, (block) => {
    const type = block[TYPE];
    if (stringEquals(tape, type, "text")) writer.text(block[TEXT]);
    else if (stringEquals(tape, type, "image")) writeImage(tape, block[SOURCE], writer);
    else if (stringEquals(tape, type, "thinking")) writer.text(block[THINKING]);
    else if (stringEquals(tape, type, "tool_result")) writeToolResult(tape, block[CONTENT], writer);
    else if (stringEquals(tape, type, "tool_use")) {
      writer.text(block[ID]);
      writer.text(block[NAME]);
      writer.raw(block[INPUT]);
    }
  });
}

/** A picture of a message: its URL, else its bare base64. */
function writeImage(tape: JsonTape, source: number, writer: PromptWriter): void {
  const found = findMembers(tape, source, SOURCE_KEYS);
  if (isFilled(tape, found[URL])) writer.media("image-url", found[URL]);
  else if (isFilled(tape, found[DATA])) writer.media("image-payload", found[DATA]);
}

/** A tool's result: its texts with line feeds between, then its pictures, as URLs. */
function writeToolResult(tape: JsonTape, node: number, writer: PromptWriter): void {
  if (isString(tape, node)) writer.text(node);
  let before = "";
  forEachBlock(tape, node, (block) => {
    if (!stringEquals(tape, block[TYPE], "text")) return;
    writer.ascii(before);
    writer.text(block[TEXT]);
    before = "\n";
  });
  forEachBlock(tape, node, (block) => {
    const content = stringEquals(tape, block[TYPE], "image") ? imageUrl(tape, block[SOURCE]) : undefined;
    if (content !== undefined) writer.media("image-url", ...content);
  });
}

/** The URL of a picture; of base64 data a `data:` URL. */
function imageUrl(tape: JsonTape, source: number): readonly ContentPiece[] | undefined {
  const found = findMembers(tape, source, SOURCE_KEYS);
  if (isFilled(tape, found[URL])) return [found[URL]];
  if (stringEquals(tape, found[SOURCE_TYPE], "url") || !isFilled(tape, found[DATA])) return undefined;
  const mediaType = isFilled(tape, found[MEDIA_TYPE]) ? found[MEDIA_TYPE] : DEFAULT_MEDIA_TYPE;
  return ["data:", mediaType, ";base64,", found[DATA]];
}

function forEachBlock(tape: JsonTape, node: number, visit: (block: Int32Array) => void): void {
  if (isNothing(tape, node) || kindOf(tape, node) !== OPEN_ARRAY) return;
  let block = firstOf(node);
  for (let i = countOf(tape, node); i > 0; i--) {
    visit(findMembers(tape, block, BLOCK_KEYS));
    block = nextOf(tape, block);
  }
}

function isFilled(tape: JsonTape, node: number): boolean {
  return isString(tape, node) && endOf(tape, node) - startOf(tape, node) > 2;
}

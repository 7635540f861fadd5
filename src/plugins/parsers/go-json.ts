/**
 * What Go's `json.Marshal` gives for a value that was decoded from JSON into `any`: members sorted by their keys'
 * bytes with the last duplicate kept, no white space, `<`, `>`, `&`, U+2028 and U+2029 escaped, numbers through
 * float64. Written from the tape, without building the value and without recursion.
 */
import type { ByteSink } from "./byte-sink.ts";
import { goJsonNumber, readNumber } from "./json-number.ts";
import { stringBytes } from "./json-string.ts";
import {
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  countOf,
  endOf,
  firstOf,
  flagsOf,
  isNumber,
  kindOf,
  nextOf,
  startOf,
  type JsonTape,
} from "./json-tape.ts";

const COMMA = 0x2c;
const COLON = 0x3a;

/** A member as it is to be written: its decoded key and its value's node, or text that stands for the value. */
interface Member {
  readonly key: Uint8Array;
  readonly value: number;
  readonly text?: string;
}

/** An open container: an array walks the tape (`node`), an object its sorted members. */
interface Frame {
  readonly members: readonly Member[] | undefined;
  node: number;
  at: number;
  readonly count: number;
}

/** 1 for a byte that a string literal can't hold as it is, or that starts U+2028 or U+2029. */
const SPECIAL = new Uint8Array(256).fill(1, 0, 0x20);
for (const c of '"\\<>&') SPECIAL[c.charCodeAt(0)] = 1;
SPECIAL[0xe2] = 1;
const SHORT_ESCAPES: Record<number, string> = {
  0x22: '\\"',
  0x5c: "\\\\",
  8: "\\b",
  9: "\\t",
  10: "\\n",
  12: "\\f",
  13: "\\r",
};

/** A member of the outermost object that is to be written with another value (a string). */
export interface StringMember {
  readonly key: Uint8Array;
  readonly value: string;
}

/** Appends a node as Go would marshal it; `replaced` sets one member of it when it is an object. */
export function appendGoJson(tape: JsonTape, node: number, sink: ByteSink, replaced?: StringMember): void {
  const frames: Frame[] = [];
  appendValue(tape, node, sink, frames, replaced);
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    if (frame.at === frame.count) {
      sink.byte(frame.members === undefined ? OPEN_ARRAY + 2 : OPEN_OBJECT + 2);
      frames.pop();
      continue;
    }
    if (frame.at > 0) sink.byte(COMMA);
    if (frame.members === undefined) {
      const element = frame.node;
      frame.at++;
      frame.node = nextOf(tape, element);
      appendValue(tape, element, sink, frames);
    } else {
      const member = frame.members[frame.at++];
      appendGoString(member.key, 0, member.key.length, sink);
      sink.byte(COLON);
      if (member.text === undefined) appendValue(tape, member.value, sink, frames);
      else appendGoText(member.text, sink);
    }
  }
}

/** Appends a string literal as Go writes it. */
export function appendGoText(text: string, sink: ByteSink): void {
  const bytes = new TextEncoder().encode(text);
  appendGoString(bytes, 0, bytes.length, sink);
}

/** Writes a scalar, or opens a container and leaves its rest to a frame. */
function appendValue(tape: JsonTape, node: number, sink: ByteSink, frames: Frame[], replaced?: StringMember): void {
  const kind = kindOf(tape, node);
  if (kind === OPEN_OBJECT) {
    const members = sortedMembers(tape, node, replaced);
    sink.byte(OPEN_OBJECT);
    frames.push({ members, node: -1, at: 0, count: members.length });
  } else if (kind === OPEN_ARRAY) {
    sink.byte(OPEN_ARRAY);
    frames.push({ members: undefined, node: firstOf(node), at: 0, count: countOf(tape, node) });
  } else if (kind === QUOTE) {
    const { bytes, start, end } = stringBytes(tape, node);
    appendGoString(bytes, start, end, sink);
  } else if (isNumber(tape, node)) {
    sink.ascii(goJsonNumber(readNumber(tape, node)));
  } else {
    sink.copy(tape.bytes, startOf(tape, node), endOf(tape, node));
  }
}

function sortedMembers(tape: JsonTape, object: number, replaced: StringMember | undefined): readonly Member[] {
  const members: Member[] = [];
  let node = firstOf(object);
  for (let i = countOf(tape, object); i > 0; i--) {
    members.push({ key: keyBytes(tape, node), value: node + 2 });
    node = nextOf(tape, node + 2);
  }
  if (replaced !== undefined) members.push({ key: replaced.key, value: -1, text: replaced.value });
  // A stable sort keeps duplicates in the order of the document.
  members.sort((a, b) => compareBytes(a.key, b.key));
  return members.filter((member, i) => i + 1 === members.length || compareBytes(member.key, members[i + 1].key) !== 0);
}

function keyBytes(tape: JsonTape, key: number): Uint8Array {
  if (flagsOf(tape, key) === 0) return tape.bytes.subarray(startOf(tape, key) + 1, endOf(tape, key) - 1);
  const { bytes, start, end } = stringBytes(tape, key);
  return bytes.slice(start, end);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

/** Writes well-formed UTF-8 as a string literal. */
function appendGoString(bytes: Uint8Array, start: number, end: number, sink: ByteSink): void {
  sink.byte(QUOTE);
  let from = start;
  for (let p = start; p < end; p++) {
    if (SPECIAL[bytes[p]] === 0) continue;
    const escape = escapeAt(bytes, p);
    if (escape === "") continue;
    sink.copy(bytes, from, p);
    sink.ascii(escape);
    if (bytes[p] === 0xe2) p += 2;
    from = p + 1;
  }
  sink.copy(bytes, from, end);
  sink.byte(QUOTE);
}

/** The escape for the character at `p`; "" for one that starts with 0xe2 and needs none. */
function escapeAt(bytes: Uint8Array, p: number): string {
  const c = bytes[p];
  if (c !== 0xe2) return SHORT_ESCAPES[c] ?? `\\u${c.toString(16).padStart(4, "0")}`;
  if (bytes[p + 1] !== 0x80) return "";
  return bytes[p + 2] === 0xa8 ? "\\u2028" : bytes[p + 2] === 0xa9 ? "\\u2029" : "";
}

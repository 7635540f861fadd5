/** A JSON string's bytes as Go decodes them: escapes resolved, lone surrogates and bad UTF-8 as U+FFFD. */
import { ByteSink } from "./byte-sink.ts";
import { ESCAPED, NON_ASCII, endOf, flagsOf, isString, startOf, type JsonTape } from "./json-tape.ts";
import { isUtf8, utf8Length } from "./utf8.ts";

const BACKSLASH = 0x5c;
const HEX = new Uint8Array(256);
for (let i = 0; i < 16; i++) {
  HEX["0123456789abcdef".charCodeAt(i)] = i;
  HEX["0123456789ABCDEF".charCodeAt(i)] = i;
}
const SIMPLE_ESCAPES = new Uint8Array(256);
for (const [letter, value] of Object.entries({ b: 8, f: 12, n: 10, r: 13, t: 9, '"': 0x22, "\\": 0x5c, "/": 0x2f })) {
  SIMPLE_ESCAPES[letter.charCodeAt(0)] = value;
}
/** A byte order mark within a value is a character of it. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const scratch = new ByteSink(256);
/** Scratch over this is not kept. */
const SCRATCH_BYTES_KEPT_MAX = 1 << 20;

/** A short string's value. The node must be a string. */
export function readString(tape: JsonTape, node: number): string {
  const { bytes, start, end } = stringBytes(tape, node);
  return decoder.decode(bytes.subarray(start, end));
}

/** A range of bytes. */
export interface ByteRange {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/**
 * The decoded bytes of a string node: in the document itself where nothing has to change, else in a scratch area that
 * the next call overwrites.
 */
export function stringBytes(tape: JsonTape, node: number): ByteRange {
  if (isVerbatim(tape, node)) {
    return { bytes: tape.bytes, start: startOf(tape, node) + 1, end: endOf(tape, node) - 1 };
  }
  scratch.clear(SCRATCH_BYTES_KEPT_MAX);
  appendString(tape, node, scratch);
  return { bytes: scratch.bytes, start: 0, end: scratch.length };
}

/** True when a node is a string that begins with this ASCII text. */
export function stringStartsWith(tape: JsonTape, node: number, text: string): boolean {
  if (!isString(tape, node)) return false;
  const { bytes, start, end } = stringBytes(tape, node);
  return end - start >= text.length && matchesAt(bytes, start, text);
}

/** True when a node is a string of this ASCII text. */
export function stringEquals(tape: JsonTape, node: number, text: string): boolean {
  if (!isString(tape, node)) return false;
  const { bytes, start, end } = stringBytes(tape, node);
  return end - start === text.length && matchesAt(bytes, start, text);
}

function matchesAt(bytes: Uint8Array, start: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Appends a string node's decoded bytes. */
export function appendString(tape: JsonTape, node: number, sink: ByteSink): void {
  const start = startOf(tape, node) + 1;
  const end = endOf(tape, node) - 1;
  if (isVerbatim(tape, node)) sink.copy(tape.bytes, start, end);
  else appendDecoded(tape, start, end, flagsOf(tape, node), sink);
}

/** True when the bytes between the quotes are the value already. */
function isVerbatim(tape: JsonTape, node: number): boolean {
  const flags = flagsOf(tape, node);
  if ((flags & ESCAPED) !== 0) return false;
  return (flags & NON_ASCII) === 0 || isUtf8(tape.bytes, startOf(tape, node) + 1, endOf(tape, node) - 1);
}

function appendDecoded(tape: JsonTape, start: number, end: number, flags: number, sink: ByteSink): void {
  const { bytes, view } = tape;
  // Only a byte that is no UTF-8 grows: it becomes the three of U+FFFD.
  const growth = (flags & NON_ASCII) === 0 || isUtf8(bytes, start, end) ? 1 : 3;
  sink.reserve(growth * (end - start));
  const out = sink.bytes;
  const outView = sink.view;
  let o = sink.length;
  let p = start;
  while (p < end) {
    while (p + 4 <= end) {
      const x = view.getInt32(p, true);
      // Set in the high bit of a byte that is over 0x7f or a backslash.
      if (((x | ((x ^ 0x5c5c5c5c) - 0x01010101)) & 0x80808080) !== 0) break;
      outView.setInt32(o, x, true);
      p += 4;
      o += 4;
    }
    if (p >= end) break;
    const c = bytes[p];
    if (c === BACKSLASH) {
      if (bytes[p + 1] === 0x75) {
        const code = codePointAt(bytes, p, end);
        p += code > 0xffff ? 12 : 6;
        o = putCodePoint(out, o, code);
      } else {
        out[o++] = SIMPLE_ESCAPES[bytes[p + 1]];
        p += 2;
      }
    } else if (c < 0x80) {
      out[o++] = c;
      p++;
    } else {
      const length = utf8Length(bytes, p, end);
      if (length === 0) o = putCodePoint(out, o, 0xfffd);
      for (let i = 0; i < length; i++) out[o++] = bytes[p + i];
      p += Math.max(1, length);
    }
  }
  sink.length = o;
}

/** Code point of the \u escape at `p`: a pair's own, U+FFFD for a surrogate without its other half. */
function codePointAt(bytes: Uint8Array, p: number, end: number): number {
  const unit = hex4(bytes, p + 2);
  if (unit < 0xd800 || unit > 0xdfff) return unit;
  if (unit < 0xdc00 && p + 12 <= end && bytes[p + 6] === BACKSLASH && bytes[p + 7] === 0x75) {
    const low = hex4(bytes, p + 8);
    if (low >= 0xdc00 && low <= 0xdfff) return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
  }
  return 0xfffd;
}

function hex4(bytes: Uint8Array, p: number): number {
  return (HEX[bytes[p]] << 12) | (HEX[bytes[p + 1]] << 8) | (HEX[bytes[p + 2]] << 4) | HEX[bytes[p + 3]];
}

function putCodePoint(out: Uint8Array, at: number, code: number): number {
  let o = at;
  if (code < 0x80) {
    out[o++] = code;
  } else if (code < 0x800) {
    out[o++] = 0xc0 | (code >> 6);
    out[o++] = 0x80 | (code & 63);
  } else if (code < 0x10000) {
    out[o++] = 0xe0 | (code >> 12);
    out[o++] = 0x80 | ((code >> 6) & 63);
    out[o++] = 0x80 | (code & 63);
  } else {
    out[o++] = 0xf0 | (code >> 18);
    out[o++] = 0x80 | ((code >> 12) & 63);
    out[o++] = 0x80 | ((code >> 6) & 63);
    out[o++] = 0x80 | (code & 63);
  }
  return o;
}

import { JSON_ERRORS } from "./json-error.ts";
import { failAt, scanLiteral, scanNumber, scanString, skipSpace } from "./json-tokens.ts";
import { OPEN_ARRAY, OPEN_OBJECT, QUOTE, type JsonTape } from "./json-tape.ts";

/** Deepest nesting that Go's encoding/json accepts. */
export const JSON_DEPTH_MAX = 10_000;

/** Token ids are shorter. */
const SHORT_INTEGER_DIGITS = 15;
const COMMA = 0x2c;
const COLON = 0x3a;

/**
 * Checks a whole document and indexes it on the tape, in one pass and without building values. Accepts exactly what
 * the decoder of Go's encoding/json accepts: bytes of a string need not be UTF-8, surrogates may be alone, a byte order
 * mark and trailing data are errors, nesting ends at 10,000. Returns false with `tape.error` set.
 */
export function scanJson(tape: JsonTape, bytes: Uint8Array): boolean {
  tape.begin(bytes);
  const end = bytes.length;
  let p = skipSpace(bytes, 0);
  let container = -1;
  let inObject = false;
  let depth = 0;
  for (;;) {
    if (p >= end) return failAt(tape, JSON_ERRORS.end, p);
    if (container >= 0) tape.words[container + 3]++;
    const c = bytes[p];
    if (c === OPEN_OBJECT || c === OPEN_ARRAY) {
      if (++depth > JSON_DEPTH_MAX) return failAt(tape, JSON_ERRORS.depth, p);
      container = tape.openContainer(p, container);
      inObject = c === OPEN_OBJECT;
      p = skipSpace(bytes, p + 1);
      // The closing bracket is the code of the opening one plus two.
      if (p >= end || bytes[p] !== c + 2) {
        if (inObject && (p = scanKey(tape, p)) < 0) return false;
        continue;
      }
    } else {
      if (container >= 0 && !inObject) p = scanIntegers(tape, p, container);
      if ((p = scanScalar(tape, p, bytes[p])) < 0) return false;
    }
    for (;;) {
      p = skipSpace(bytes, p);
      if (container < 0) return p >= end || failAt(tape, JSON_ERRORS.afterTop, p);
      if (p >= end) return failAt(tape, JSON_ERRORS.end, p);
      const d = bytes[p];
      if (d === (inObject ? OPEN_OBJECT : OPEN_ARRAY) + 2) {
        container = tape.closeContainer(container, ++p);
        inObject = container >= 0 && bytes[tape.words[container]] === OPEN_OBJECT;
        depth--;
      } else if (d === COMMA) {
        p = skipSpace(bytes, p + 1);
        if (inObject && (p = scanKey(tape, p)) < 0) return false;
        break;
      } else {
        return failAt(tape, inObject ? JSON_ERRORS.afterPair : JSON_ERRORS.afterElement, p);
      }
    }
  }
}

/**
 * Takes integers of an array, each with the comma and up to one space behind it: the shape of token ids. Returns where
 * the first element starts that is another, or is not followed by a further one.
 */
function scanIntegers(tape: JsonTape, at: number, array: number): number {
  const bytes = tape.bytes;
  const last = bytes.length - 2;
  let p = at;
  for (;;) {
    let end = p;
    while (end < last && bytes[end] >= 0x30 && bytes[end] <= 0x39) end++;
    // A leading zero, or more digits than are surely finite, is left to the full grammar.
    if (end === p || bytes[p] === 0x30 || end - p > SHORT_INTEGER_DIGITS || bytes[end] !== COMMA) return p;
    const next = bytes[end + 1] === 0x20 ? end + 2 : end + 1;
    const isAnother = next <= last && bytes[next] >= 0x31 && bytes[next] <= 0x39;
    if (!isAnother) return p;
    tape.pushScalar(p, end, 0);
    tape.words[array + 3]++;
    p = next;
  }
}

/** Takes a key and its colon; returns where the value starts, -1 after a failure. */
function scanKey(tape: JsonTape, at: number): number {
  const bytes = tape.bytes;
  if (at >= bytes.length) return fail(tape, JSON_ERRORS.end, at);
  if (bytes[at] !== QUOTE) return fail(tape, JSON_ERRORS.key, at);
  const close = scanString(tape, at + 1);
  if (close < 0) return -1;
  tape.pushScalar(at, close + 1, tape.flags);
  const p = skipSpace(bytes, close + 1);
  if (p >= bytes.length) return fail(tape, JSON_ERRORS.end, p);
  if (bytes[p] !== COLON) return fail(tape, JSON_ERRORS.afterKey, p);
  return skipSpace(bytes, p + 1);
}

/** Takes a string, number or literal; returns where it ends, -1 after a failure. */
function scanScalar(tape: JsonTape, at: number, first: number): number {
  if (first === QUOTE) {
    const close = scanString(tape, at + 1);
    if (close < 0) return -1;
    tape.pushScalar(at, close + 1, tape.flags);
    return close + 1;
  }
  if (first === 0x2d || (first >= 0x30 && first <= 0x39)) {
    const end = scanNumber(tape, at);
    if (end >= 0) tape.pushScalar(at, end, tape.flags);
    return end;
  }
  const end = scanLiteral(tape, at, first);
  if (end >= 0) tape.pushScalar(at, end, 0);
  return end;
}

function fail(tape: JsonTape, error: number, at: number): number {
  failAt(tape, error, at);
  return -1;
}

/** The tokens of JSON, byte by byte: each function takes the offset of a token and returns where it ends, or -1. */
import { JSON_ERRORS } from "./json-error.ts";
import { ESCAPED, NON_ASCII, NOT_INTEGER, QUOTE, type JsonTape } from "./json-tape.ts";

const BACKSLASH = 0x5c;
/** A string's bytes up to here are looked at one by one: most keys and roles are shorter. */
const SHORT_STRING_BYTES = 12;
/** No float64 reaches 10^309; shorter integers without an exponent need no look. */
const FLOAT64_DIGITS_MAX = 309;

/** 1 for a byte that ends a run of ordinary string bytes: a quote, a backslash, a control character. */
const STOPS = new Uint8Array(256).fill(1, 0, 0x20);
STOPS[QUOTE] = 1;
STOPS[BACKSLASH] = 1;
/** 1 for a byte that may follow a backslash, but u. */
const ESCAPES = new Uint8Array(256);
for (const c of '"\\/bfnrt') ESCAPES[c.charCodeAt(0)] = 1;
const HEX = new Uint8Array(256);
for (const c of "0123456789abcdefABCDEF") HEX[c.charCodeAt(0)] = 1;
const LITERALS: Record<number, readonly number[]> = {
  0x74: [0x74, 0x72, 0x75, 0x65],
  0x66: [0x66, 0x61, 0x6c, 0x73, 0x65],
  0x6e: [0x6e, 0x75, 0x6c, 0x6c],
};

/** Notes an error on the tape; false, so that a caller can return it. */
export function failAt(tape: JsonTape, error: number, at: number): false {
  tape.error = error;
  tape.errorAt = at;
  return false;
}

export function skipSpace(bytes: Uint8Array, from: number): number {
  let p = from;
  for (; p < bytes.length; p++) {
    const c = bytes[p];
    if (c > 0x20 || (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09)) break;
  }
  return p;
}

/** From behind the opening quote to the closing one; `tape.flags` tells of escapes and bytes over 0x7f. */
export function scanString(tape: JsonTape, from: number): number {
  const bytes = tape.bytes;
  const end = bytes.length;
  let p = from;
  let seen = 0;
  let escaped = 0;
  for (;;) {
    const short = Math.min(end, p + SHORT_STRING_BYTES);
    while (p < short && STOPS[bytes[p]] === 0) seen |= bytes[p++];
    if (p === short && p < end) {
      p = skipOrdinary(tape, p, end);
      seen |= tape.flags;
      while (p < end && STOPS[bytes[p]] === 0) seen |= bytes[p++];
    }
    if (p >= end) break;
    const c = bytes[p];
    if (c === QUOTE) {
      tape.flags = escaped | ((seen & 0x80) === 0 ? 0 : NON_ASCII);
      return p;
    }
    if (c !== BACKSLASH) return fail(tape, JSON_ERRORS.string, p);
    escaped = ESCAPED;
    p = scanEscape(tape, p + 1);
    if (p < 0) return -1;
  }
  return fail(tape, JSON_ERRORS.end, p);
}

/**
 * Skips ordinary string bytes eight at a time; stops at or up to seven bytes before the first other one. Leaves 0x80 in
 * `tape.flags` when it passed a byte over 0x7f. A byte of `x` is a control character, quote or backslash exactly when
 * one of the subtractions borrows into its high bit while that bit is clear in `x`.
 */
function skipOrdinary(tape: JsonTape, from: number, end: number): number {
  const view = tape.view;
  let p = from;
  let seen = 0;
  for (const last = end - 8; p <= last; p += 8) {
    const x = view.getInt32(p, true);
    const y = view.getInt32(p + 4, true);
    const inX = ((x - 0x20202020) | ((x ^ 0x22222222) - 0x01010101) | ((x ^ 0x5c5c5c5c) - 0x01010101)) & ~x;
    const inY = ((y - 0x20202020) | ((y ^ 0x22222222) - 0x01010101) | ((y ^ 0x5c5c5c5c) - 0x01010101)) & ~y;
    if (((inX | inY) & 0x80808080) !== 0) break;
    seen |= x | y;
  }
  tape.flags = (seen & 0x80808080) === 0 ? 0 : 0x80;
  return p;
}

/** From behind a backslash to behind its escape. */
function scanEscape(tape: JsonTape, at: number): number {
  const bytes = tape.bytes;
  if (at >= bytes.length) return fail(tape, JSON_ERRORS.escape, at);
  if (ESCAPES[bytes[at]] === 1) return at + 1;
  if (bytes[at] !== 0x75) return fail(tape, JSON_ERRORS.escape, at);
  for (let i = at + 1; i <= at + 4; i++) {
    if (i >= bytes.length || HEX[bytes[i]] === 0) return fail(tape, JSON_ERRORS.unicode, i);
  }
  return at + 5;
}

/** A number by JSON's grammar; `tape.flags` tells of a fraction or exponent, `tape.overflowNode` of one too big. */
export function scanNumber(tape: JsonTape, at: number): number {
  const bytes = tape.bytes;
  let p = bytes[at] === 0x2d ? at + 1 : at;
  const firstDigit = p;
  if (!isDigit(bytes, p)) return fail(tape, JSON_ERRORS.number, p);
  p = bytes[p] === 0x30 ? p + 1 : skipDigits(bytes, p + 1);
  const next = p < bytes.length ? bytes[p] : 0;
  if (next !== 0x2e && next !== 0x65 && next !== 0x45) {
    tape.flags = 0;
    if (p - firstDigit >= FLOAT64_DIGITS_MAX) noteOverflow(tape, at, p);
    return p;
  }
  return scanFraction(tape, at, p);
}

/** The rest of a number from its point or exponent on. */
function scanFraction(tape: JsonTape, start: number, at: number): number {
  const bytes = tape.bytes;
  let p = at;
  tape.flags = NOT_INTEGER;
  if (bytes[p] === 0x2e) {
    if (!isDigit(bytes, p + 1)) return fail(tape, JSON_ERRORS.fraction, p + 1);
    p = skipDigits(bytes, p + 2);
  }
  if (p < bytes.length && (bytes[p] === 0x65 || bytes[p] === 0x45)) {
    p++;
    if (p < bytes.length && (bytes[p] === 0x2b || bytes[p] === 0x2d)) p++;
    if (!isDigit(bytes, p)) return fail(tape, JSON_ERRORS.exponent, p);
    p = skipDigits(bytes, p + 1);
  }
  noteOverflow(tape, start, p);
  return p;
}

/** Remembers the first number that is infinite as a double. */
function noteOverflow(tape: JsonTape, start: number, end: number): void {
  if (tape.overflowNode >= 0) return;
  const text = new TextDecoder().decode(tape.bytes.subarray(start, end));
  if (!Number.isFinite(Number(text))) tape.overflowNode = tape.length;
}

export function scanLiteral(tape: JsonTape, at: number, first: number): number {
  const bytes = tape.bytes;
  const letters = LITERALS[first];
  if (letters === undefined) return fail(tape, JSON_ERRORS.value, at);
  for (let i = 1; i < letters.length; i++) {
    if (at + i < bytes.length && bytes[at + i] === letters[i]) continue;
    tape.errorDetail = letters[i];
    return fail(
      tape,
      first === 0x74 ? JSON_ERRORS.true : first === 0x66 ? JSON_ERRORS.false : JSON_ERRORS.null,
      at + i,
    );
  }
  return at + letters.length;
}

function isDigit(bytes: Uint8Array, at: number): boolean {
  return at < bytes.length && bytes[at] >= 0x30 && bytes[at] <= 0x39;
}

function skipDigits(bytes: Uint8Array, from: number): number {
  let p = from;
  while (p < bytes.length && bytes[p] >= 0x30 && bytes[p] <= 0x39) p++;
  return p;
}

function fail(tape: JsonTape, error: number, at: number): number {
  failAt(tape, error, at);
  return -1;
}

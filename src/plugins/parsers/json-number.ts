import { NOT_INTEGER, endOf, flagsOf, isNumber, startOf, type JsonTape } from "./json-tape.ts";

/** Digits of an integer that is certainly exact as a double. */
const EXACT_DIGITS_MAX = 15;
const decoder = new TextDecoder();

/** The double nearest to a number node, as Go and JavaScript read it. */
export function readNumber(tape: JsonTape, node: number): number {
  const { bytes } = tape;
  const start = startOf(tape, node);
  const end = endOf(tape, node);
  const negative = bytes[start] === 0x2d;
  const digits = negative ? start + 1 : start;
  if ((flagsOf(tape, node) & NOT_INTEGER) !== 0 || end - digits > EXACT_DIGITS_MAX) {
    return Number(decoder.decode(bytes.subarray(start, end)));
  }
  let value = 0;
  for (let p = digits; p < end; p++) value = value * 10 + (bytes[p] - 0x30);
  return negative ? -value : value;
}

/** A number node that holds an integer from 0 to 2^32 - 1, as a token id must; -1 for all else. */
export function readUint32(tape: JsonTape, node: number): number {
  const { bytes, words } = tape;
  const start = words[node];
  const end = words[node + 1] >>> 2;
  // Up to nine digits need no look at the rest.
  if (end - start < 10 && (words[node + 1] & NOT_INTEGER) === 0) {
    let value = 0;
    let p = start;
    while (p < end && bytes[p] >= 0x30 && bytes[p] <= 0x39) value = value * 10 + bytes[p++] - 0x30;
    if (p === end) return value;
  }
  if (!isNumber(tape, node)) return -1;
  const value = readNumber(tape, node);
  return value === value >>> 0 ? value >>> 0 : -1;
}

/** Text of a double as Go's encoding/json writes it: JavaScript's, but for the sign of zero. */
export function goJsonNumber(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Text of a double as Go's `%v` prints it: shortest digits, with an exponent of two digits under 10^-4 and from 10^6 on. */
export function goPrintNumber(value: number): string {
  const [mantissa, exponentText] = value.toExponential().split("e");
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 6) return goJsonNumber(value);
  return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

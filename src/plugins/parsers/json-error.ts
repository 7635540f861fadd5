import { endOf, startOf, type JsonTape } from "./json-tape.ts";

/** Why a document is not JSON (`JsonTape.error`). */
export const JSON_ERRORS = {
  end: 1,
  value: 2,
  key: 3,
  afterKey: 4,
  afterPair: 5,
  afterElement: 6,
  afterTop: 7,
  string: 8,
  escape: 9,
  unicode: 10,
  number: 11,
  fraction: 12,
  exponent: 13,
  true: 14,
  false: 15,
  null: 16,
  depth: 17,
} as const;

const WHERE: readonly string[] = [
  "",
  "",
  "looking for beginning of value",
  "looking for beginning of object key string",
  "after object key",
  "after object key:value pair",
  "after array element",
  "after top-level value",
  "in string literal",
  "in string escape code",
  "in \\u hexadecimal character escape",
  "in numeric literal",
  "after decimal point in numeric literal",
  "in exponent of numeric literal",
  "in literal true (expecting '",
  "in literal false (expecting '",
  "in literal null (expecting '",
  "exceeded max depth",
];
/** A number's text in an error is cut to this. */
const QUOTED_BYTES_MAX = 100;

/** The text with which Go's encoding/json refuses what `scanJson` refused. */
export function syntaxErrorText(tape: JsonTape): string {
  if (tape.error === JSON_ERRORS.end) return "unexpected end of JSON input";
  // Go feeds a space at the end of input, so that an unfinished token is refused for that.
  const found = tape.errorAt < tape.bytes.length ? tape.bytes[tape.errorAt] : 0x20;
  const where = WHERE[tape.error];
  const tail = where.endsWith("'") ? `${String.fromCharCode(tape.errorDetail)}')` : "";
  return `invalid character ${quoteByte(found)} ${where}${tail}`;
}

/** Go's text for a number that no float64 can hold. */
export function overflowErrorText(tape: JsonTape): string {
  const start = startOf(tape, tape.overflowNode);
  const end = Math.min(endOf(tape, tape.overflowNode), start + QUOTED_BYTES_MAX);
  const text = new TextDecoder().decode(tape.bytes.subarray(start, end));
  return `json: cannot unmarshal number ${text} into Go value of type float64`;
}

/** What Go calls the kind of a value that starts with this byte. */
export function kindName(first: number): string {
  if (first === 0x22) return "string";
  if (first === 0x7b) return "object";
  if (first === 0x5b) return "array";
  return first === 0x74 || first === 0x66 ? "bool" : "number";
}

/** A byte as Go quotes it: as the code point of that number. */
function quoteByte(byte: number): string {
  const char = String.fromCharCode(byte);
  if (char === "'") return "'\\''";
  if (char === "\\") return "'\\\\'";
  const letter = { 7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r" }[byte];
  if (letter !== undefined) return `'\\${letter}'`;
  if (byte < 0x20 || byte === 0x7f) return `'\\x${hex(byte, 2)}'`;
  if ((byte >= 0x80 && byte <= 0xa0) || byte === 0xad) return `'\\u${hex(byte, 4)}'`;
  return `'${char}'`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

/**
 * Byte-level readers for Prometheus text pages. Each takes the index of a token's first byte and returns the index
 * after it, or -1. None checks for the end of the page: the caller makes sure that a newline stands there, and every
 * loop here stops at a newline.
 */

export const NEWLINE = 10;
export const QUOTE = 34;
export const HASH = 35;
export const PLUS = 43;
export const COMMA = 44;
export const MINUS = 45;
export const DOT = 46;
export const EQUALS = 61;
export const BACKSLASH = 92;
export const UNDERSCORE = 95;
export const OPEN = 123;
export const CLOSE = 125;
const LETTER_N = 110;

/** Kinds of bytes, as bits of `KIND[byte]`. */
export const LABEL_CHAR = 2;
export const METRIC_CHAR = 4;
export const BLANK = 8;
/** Stands for itself in a label value: ASCII but quote, backslash and newline. */
export const PLAIN = 16;
export const DIGIT = 32;
/** Stands for itself in a help text: all but backslash and newline. */
export const TEXT = 64;

/** What each byte can be part of. */
export const KIND: Uint8Array = kinds();

/** Most digits and the greatest length of an exponent for which a float surely is below the greatest double. */
const SAFE_DIGITS = 200;
const SAFE_EXPONENT_DIGITS = 2;
/** Largest whole number of digits that a double holds exactly, and the powers of ten that it does. */
const EXACT_DIGITS = 15;
const POWERS = [
  1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
  1e21, 1e22,
];
const INT64_DIGITS = "9223372036854775807";

/** Index of the first byte from `i` on that is neither space nor tab. */
export function skipBlanks(page: Uint8Array, i: number): number {
  while (KIND[page[i]] & BLANK) i++;
  return i;
}

/**
 * End of the float at `i` in Go's notation without underscores and hexadecimal: what strconv.ParseFloat takes, so a
 * number beyond the range of a double is none.
 */
export function floatEnd(page: Uint8Array, i: number): number {
  const start = i;
  if (page[i] === MINUS || page[i] === PLUS) i++;
  const whole = i;
  while (KIND[page[i]] & DIGIT) i++;
  let digits = i - whole;
  if (page[i] === DOT) {
    const fraction = ++i;
    while (KIND[page[i]] & DIGIT) i++;
    digits += i - fraction;
  }
  if (digits === 0) return wordEnd(page, start);
  let exponentDigits = 0;
  if ((page[i] | 32) === 101) {
    i++;
    if (page[i] === MINUS || page[i] === PLUS) i++;
    const exponent = i;
    while (KIND[page[i]] & DIGIT) i++;
    exponentDigits = i - exponent;
    if (exponentDigits === 0) return -1;
  }
  if (digits <= SAFE_DIGITS && exponentDigits <= SAFE_EXPONENT_DIGITS) return i;
  return Number.isFinite(Number(ascii(page, start, i))) ? i : -1;
}

/** The number that stands at [start, end), which `floatEnd` accepted. */
export function floatValue(page: Uint8Array, start: number, end: number): number {
  let mantissa = 0;
  let digits = 0;
  let fraction = -1;
  let i = page[start] === MINUS || page[start] === PLUS ? start + 1 : start;
  for (; i < end; i++) {
    const byte = page[i];
    if (KIND[byte] & DIGIT) {
      mantissa = mantissa * 10 + (byte - 48);
      digits++;
      if (fraction >= 0) fraction++;
    } else if (byte === DOT) fraction = 0;
    else return slowFloat(ascii(page, start, end));
  }
  if (digits > EXACT_DIGITS) return slowFloat(ascii(page, start, end));
  const value = fraction > 0 ? mantissa / POWERS[fraction] : mantissa;
  return page[start] === MINUS ? -value : value;
}

/** End of the whole number at `i` within 64 bits. */
export function timestampEnd(page: Uint8Array, i: number): number {
  const negative = page[i] === MINUS;
  if (negative || page[i] === PLUS) i++;
  const first = i;
  while (KIND[page[i]] & DIGIT) i++;
  if (i === first) return -1;
  if (i - first < INT64_DIGITS.length) return i;
  const digits = ascii(page, first, i).replace(/^0+/, "");
  if (digits.length !== INT64_DIGITS.length) return digits.length < INT64_DIGITS.length ? i : -1;
  return digits <= INT64_DIGITS || (negative && digits === "9223372036854775808") ? i : -1;
}

/**
 * End of the label value whose first byte is `i`: index of the closing quote. -1 at a newline, a wrong escape or
 * bytes that are not UTF-8.
 */
export function labelValueEnd(page: Uint8Array, i: number): number {
  const start = i;
  let wide = false;
  for (;;) {
    while (KIND[page[i]] & PLAIN) i++;
    const byte = page[i];
    if (byte === QUOTE) break;
    if (byte === NEWLINE) return -1;
    if (byte === BACKSLASH) {
      if (!isEscape(page[i + 1])) return -1;
      i += 2;
    } else {
      wide = true;
      i++;
    }
  }
  return wide && !isUtf8(page, start, i) ? -1 : i;
}

/** Index of the newline that ends the help text at `i`; -1 when the text holds a wrong escape. */
export function helpEnd(page: Uint8Array, i: number): number {
  for (;;) {
    while (KIND[page[i]] & TEXT) i++;
    if (page[i] === NEWLINE) return i;
    if (!isEscape(page[i + 1])) return -1;
    i += 2;
  }
}

/** Index of the newline at or after `i`. */
export function lineEnd(page: Uint8Array, i: number): number {
  while (page[i] !== NEWLINE) i++;
  return i;
}

/**
 * End of the metric or label name at `i`: letters, digits, `_` and `:`, no digit first, bare or in quotes (which it then
 * includes). -1 when none stands there.
 */
export function nameEnd(page: Uint8Array, i: number): number {
  const quoted = page[i] === QUOTE;
  if (quoted) i++;
  if ((KIND[page[i]] & (METRIC_CHAR | DIGIT)) !== METRIC_CHAR) return -1;
  do i++;
  while (KIND[page[i]] & METRIC_CHAR);
  if (!quoted) return page[i] === QUOTE ? -1 : i;
  return page[i] === QUOTE ? i + 1 : -1;
}

/** End of the label name without quotes at `i`; -1 when none stands there. */
export function labelNameEnd(page: Uint8Array, i: number): number {
  if ((KIND[page[i]] & (LABEL_CHAR | DIGIT)) !== LABEL_CHAR) return -1;
  do i++;
  while (KIND[page[i]] & LABEL_CHAR);
  return i;
}

/** True when the name at [start, end), which `nameEnd` accepted without quotes, is a label's: without `:`. */
export function isLabelName(page: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if ((KIND[page[i]] & LABEL_CHAR) === 0) return false;
  return true;
}

/** Text of a label value as it stands between its quotes. */
export function labelText(page: Uint8Array, start: number, end: number): string {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(page.subarray(start, end));
  return text.includes("\\") ? text.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c)) : text;
}

/** True when the bytes at `a` and at `b` are the same `length` long. */
export function sameBytes(one: Uint8Array, a: number, other: Uint8Array, b: number, length: number): boolean {
  for (let k = 0; k < length; k++) if (one[a + k] !== other[b + k]) return false;
  return true;
}

/** True when the bytes at [start, end) are the word's. */
export function isWord(page: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  return end - start === word.length && sameBytes(page, start, word, 0, word.length);
}

/** Text of ASCII bytes; others become something that no number or keyword holds. */
export function ascii(page: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(page[i]);
  return text;
}

function isEscape(byte: number): boolean {
  return byte === QUOTE || byte === BACKSLASH || byte === LETTER_N;
}

/** End of `inf`, `infinity` (either with a sign) or `nan` at `i`, in any case. */
function wordEnd(page: Uint8Array, i: number): number {
  const signed = page[i] === MINUS || page[i] === PLUS;
  if (signed) i++;
  const word = ascii(page, i, i + 3).toLowerCase();
  if (word === "nan") return signed ? -1 : i + 3;
  if (word !== "inf") return -1;
  return (page[i + 3] | 32) === 105 && ascii(page, i + 3, i + 8).toLowerCase() === "inity" ? i + 8 : i + 3;
}

function slowFloat(text: string): number {
  const value = Number(text);
  if (!Number.isNaN(value)) return value;
  const word = text.toLowerCase();
  if (word === "nan") return Number.NaN;
  return word.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

function isUtf8(page: Uint8Array, start: number, end: number): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(page.subarray(start, end));
    return true;
  } catch {
    return false;
  }
}

function kinds(): Uint8Array {
  const kind = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) if (byte !== BACKSLASH && byte !== NEWLINE) kind[byte] |= TEXT;
  for (let byte = 0; byte < 128; byte++) {
    const letter = (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122) || byte === 95;
    const digit = byte >= 48 && byte <= 57;
    if (letter || digit) kind[byte] |= LABEL_CHAR;
    if (letter || digit || byte === 58) kind[byte] |= METRIC_CHAR;
    if (digit) kind[byte] |= DIGIT;
    if (byte === 32 || byte === 9) kind[byte] |= BLANK;
    if (byte !== QUOTE && byte !== BACKSLASH && byte !== NEWLINE) kind[byte] |= PLAIN;
  }
  return kind;
}

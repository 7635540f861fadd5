import type { TokenBuffer } from "./token-buffer.ts";

/**
 * The simulated pods' own tokeniser: it cuts text into pieces as byte-pair encoders do (a word with the space before
 * it, long words in several pieces, up to three digits, up to three signs, runs of spaces and of newlines; a character
 * beyond ASCII alone), about 4.5 bytes a token on prose and 3.5 on code. A token's id is a hash of its piece, so no
 * vocabulary is stored.
 *
 * Where a piece ends depends on its own characters and at most two after it. Text cut between pieces therefore gives
 * the same ids in parts as in whole, provided that the second part starts a new piece.
 */
export function tokenize(text: string, into: TokenBuffer): void {
  let at = 0;
  while (at < text.length) {
    const end = pieceEnd(text, at);
    into.push(FIRST_PIECE_ID + (finish(hashPiece(text, at, end)) >>> 1));
    at = end;
  }
}

/** Ids below this are special: they never come out of text. */
export const FIRST_PIECE_ID = 16;

const SPACE = 32;
const OTHER = 0;
const LETTER = 1;
const DIGIT = 2;
const BLANK = 3;
const NEWLINE = 4;
const SIGN = 5;
/** Class of each ASCII character; `OTHER` stands for all beyond ASCII. */
const CLASS = new Uint8Array(128).fill(SIGN);
for (let c = 0; c < 128; c++) {
  if ((c >= 65 && c <= 90) || (c >= 97 && c <= 122)) CLASS[c] = LETTER;
  else if (c >= 48 && c <= 57) CLASS[c] = DIGIT;
  else if (c === SPACE || c === 9) CLASS[c] = BLANK;
  else if (c === 10 || c === 13) CLASS[c] = NEWLINE;
}

const DIGITS_MAX = 3;
const SIGNS_MAX = 3;
const BLANKS_MAX = 16;
const NEWLINES_MAX = 4;
const LETTERS_MIN = 3;
const LETTERS_MAX = 14;
const PIECE_ENDS_ONE_IN = 6;

function classAt(text: string, at: number): number {
  if (at >= text.length) return -1;
  const c = text.charCodeAt(at);
  return c < 128 ? CLASS[c] : OTHER;
}

function pieceEnd(text: string, start: number): number {
  const kind = classAt(text, start);
  if (kind === BLANK) {
    const next = text.charCodeAt(start) === SPACE ? classAt(text, start + 1) : BLANK;
    // One space before a word belongs to the word.
    if (next === LETTER) return wordEnd(text, start + 1);
    let end = start + 1;
    while (end - start < BLANKS_MAX && classAt(text, end) === BLANK && classAt(text, end + 1) !== LETTER) end++;
    return end;
  }
  if (kind === LETTER) return wordEnd(text, start);
  if (kind === DIGIT) return runEnd(text, start, DIGIT, DIGITS_MAX);
  if (kind === SIGN) return runEnd(text, start, SIGN, SIGNS_MAX);
  if (kind === NEWLINE) return runEnd(text, start, NEWLINE, NEWLINES_MAX);
  const c = text.charCodeAt(start);
  return c >= 0xd800 && c < 0xdc00 && start + 1 < text.length ? start + 2 : start + 1;
}

function runEnd(text: string, start: number, kind: number, most: number): number {
  let end = start + 1;
  while (end - start < most && classAt(text, end) === kind) end++;
  return end;
}

/** A word ends a piece where a hash of its letters says so, if two letters or more remain: about one place in six. */
function wordEnd(text: string, start: number): number {
  let hash = HASH_START;
  let at = start;
  while (at - start < LETTERS_MAX && classAt(text, at) === LETTER) {
    hash = Math.imul(hash ^ text.charCodeAt(at++), HASH_PRIME);
    if (at - start < LETTERS_MIN || finish(hash) % PIECE_ENDS_ONE_IN !== 0) continue;
    if (classAt(text, at) === LETTER && classAt(text, at + 1) === LETTER) return at;
  }
  return at;
}

// FNV-1a over UTF-16 code units, finished as in MurmurHash3.
const HASH_START = 0x811c9dc5 | 0;
const HASH_PRIME = 0x01000193;

function hashPiece(text: string, start: number, end: number): number {
  let hash = HASH_START;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ text.charCodeAt(i), HASH_PRIME);
  return hash;
}

function finish(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

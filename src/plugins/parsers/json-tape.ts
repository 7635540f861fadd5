/**
 * The flat index of one JSON document: what `scanJson` writes and all readers of a body walk.
 *
 * Nodes lie in `words` in document order, the root at 0. A node is
 * - a string, number or literal: two words `[start, (end << 2) | flags]`;
 * - an object or array: four words `[start, end << 2, next, count]`, its children right behind it. In an object each
 *   member is a string node (the key) and the node of its value, so `count` is the number of members.
 *
 * `start` and `end` are byte offsets (end exclusive, quotes and brackets included), `next` is the index of the node
 * after the whole container. The first byte of a node tells its kind. Nothing but numbers, so that a WebAssembly
 * scanner can write the same words.
 */

export const QUOTE = 0x22;
export const OPEN_ARRAY = 0x5b;
export const OPEN_OBJECT = 0x7b;
export const LITERAL_NULL = 0x6e;
export const LITERAL_TRUE = 0x74;
const LITERAL_FALSE = 0x66;

/** Flag of a string node: it holds a backslash. */
export const ESCAPED = 1;
/** Flag of a string node: it holds a byte over 0x7f, so its UTF-8 is to be checked. */
export const NON_ASCII = 2;
/** Flag of a number node: it has a fraction or an exponent. */
export const NOT_INTEGER = 1;

/** Words of a fresh tape (4 kB). */
const TAPE_WORDS_MIN = 1024;
/** A tape that grew over this (4 MB) is given back before the next document. It never grows over 6 bytes a byte of JSON. */
const TAPE_WORDS_KEPT_MAX = 1 << 20;
const NOTHING = new Uint8Array(0);

export class JsonTape {
  bytes: Uint8Array = NOTHING;
  view: DataView = new DataView(NOTHING.buffer);
  words: Int32Array = new Int32Array(TAPE_WORDS_MIN);
  length = 0;
  /** Counts the documents, so that a reader sees whether its own is still the one indexed. */
  generation = 0;
  /** One of JSON_ERRORS when the last scan failed, and where; `errorDetail` is the expected byte in a literal. */
  error = 0;
  errorAt = 0;
  errorDetail = 0;
  /** Node of the first number that no float64 can hold; -1 when none. */
  overflowNode = -1;
  /** Second result of `scanString` and `scanNumber`: flags of what was scanned last. */
  flags = 0;

  /** Begins with another document. */
  begin(bytes: Uint8Array): void {
    if (this.words.length > TAPE_WORDS_KEPT_MAX) this.words = new Int32Array(TAPE_WORDS_MIN);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.length = 0;
    this.generation++;
    this.error = 0;
    this.overflowNode = -1;
  }

  /** Appends a string, number or literal; returns its index. */
  pushScalar(start: number, end: number, flags: number): number {
    const node = this.length;
    if (node + 2 > this.words.length) this.#grow();
    this.words[node] = start;
    this.words[node + 1] = (end << 2) | flags;
    this.length = node + 2;
    return node;
  }

  /** Appends an open container; until it is closed its `next` word holds the container around it (-1: none). */
  openContainer(start: number, around: number): number {
    const node = this.length;
    if (node + 4 > this.words.length) this.#grow();
    this.words[node] = start;
    this.words[node + 1] = 0;
    this.words[node + 2] = around;
    this.words[node + 3] = 0;
    this.length = node + 4;
    return node;
  }

  /** Closes a container that ends before byte `end`; returns the container around it. */
  closeContainer(node: number, end: number): number {
    const around = this.words[node + 2];
    this.words[node + 1] = end << 2;
    this.words[node + 2] = this.length;
    return around;
  }

  #grow(): void {
    const words = new Int32Array(this.words.length * 2);
    words.set(this.words);
    this.words = words;
  }
}

/** First byte of a node: its kind. Numbers start with a digit or a minus. */
export function kindOf(tape: JsonTape, node: number): number {
  return tape.bytes[tape.words[node]];
}

export function startOf(tape: JsonTape, node: number): number {
  return tape.words[node];
}

export function endOf(tape: JsonTape, node: number): number {
  return tape.words[node + 1] >>> 2;
}

export function flagsOf(tape: JsonTape, node: number): number {
  return tape.words[node + 1] & 3;
}

/** Elements of an array, members of an object. */
export function countOf(tape: JsonTape, container: number): number {
  return tape.words[container + 3];
}

/** The first child of a container (of an object: its first key). Only valid when `countOf` is not 0. */
export function firstOf(container: number): number {
  return container + 4;
}

/** The node after this one and all that is in it. */
export function nextOf(tape: JsonTape, node: number): number {
  const kind = tape.bytes[tape.words[node]];
  return kind === OPEN_OBJECT || kind === OPEN_ARRAY ? tape.words[node + 2] : node + 2;
}

export function isString(tape: JsonTape, node: number): boolean {
  return node >= 0 && kindOf(tape, node) === QUOTE;
}

export function isNumber(tape: JsonTape, node: number): boolean {
  if (node < 0) return false;
  const kind = kindOf(tape, node);
  return kind === 0x2d || (kind >= 0x30 && kind <= 0x39);
}

/** True when a member is absent (-1) or null: Go leaves a field at its zero value for both. */
export function isNothing(tape: JsonTape, node: number): boolean {
  return node < 0 || kindOf(tape, node) === LITERAL_NULL;
}

/** Absent, null or of the given kind: what Go's decoder takes for a field of that kind. */
export function isKindOrNothing(tape: JsonTape, node: number, kind: number): boolean {
  if (node < 0) return true;
  const found = kindOf(tape, node);
  return found === kind || found === LITERAL_NULL;
}

/** Absent, null or a boolean. */
export function isBooleanOrNothing(tape: JsonTape, node: number): boolean {
  return isKindOrNothing(tape, node, LITERAL_TRUE) || kindOf(tape, node) === LITERAL_FALSE;
}

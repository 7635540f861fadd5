/** Bytes of a picked value that are kept; a longer value counts as absent. */
export const PICKED_BYTES_MAX = 4096;
/** Longer keys are of no interest. */
const KEY_BYTES_MAX = 32;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Picks members out of one JSON object while its bytes pass in pieces of any size: `name`, or `outer.name` one level
 * deeper. It keeps no more than the picked values. It follows strings and brackets only: what is between them is
 * checked when a picked value is read.
 */
export class JsonPicker {
  readonly #paths: readonly string[];
  readonly #values: Uint8Array[];
  readonly #lengths: Int32Array;
  readonly #key = new Uint8Array(KEY_BYTES_MAX);
  #keyLength = 0;
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  /** The string being read is a key that may be of interest. */
  #isKey = false;
  /** In an object at depth 1 or 2, where the next string is a key. */
  #expectsKey = false;
  /** Depth 2 is an object (not an array). */
  #isObjectInside = false;
  #outerKey = "";
  #picking = -1;
  #pickedDepth = 0;
  #isComplete = false;
  #isBroken = false;

  constructor(paths: readonly string[]) {
    this.#paths = paths;
    this.#values = paths.map(() => new Uint8Array(0));
    this.#lengths = new Int32Array(paths.length).fill(-1);
  }

  /** Forgets all and begins with another object. */
  reset(): void {
    this.#lengths.fill(-1);
    this.#depth = 0;
    this.#inString = false;
    this.#isEscaped = false;
    this.#isKey = false;
    this.#expectsKey = false;
    this.#picking = -1;
    this.#isComplete = false;
    this.#isBroken = false;
  }

  /** True when the object has ended and nothing but white space followed it. */
  get isComplete(): boolean {
    return this.#isComplete && !this.#isBroken;
  }

  /** A picked member's value; undefined when it was not there, too long, or is no JSON. */
  value(index: number): unknown {
    const length = this.#lengths[index];
    if (length < 0) return undefined;
    try {
      return JSON.parse(new TextDecoder().decode(this.#values[index].subarray(0, length))) as unknown;
    } catch {
      return undefined;
    }
  }

  /** Takes the next bytes. */
  push(bytes: Uint8Array, start: number, end: number): void {
    let from = start;
    let p = start;
    while (p < end) {
      if (this.#inString) {
        p = this.#passString(bytes, p, end);
        continue;
      }
      const c = bytes[p];
      const endsPick = this.#picking >= 0 && this.#depth === this.#pickedDepth && (c === COMMA || c === CLOSE_OBJECT);
      if (endsPick) {
        this.#keep(bytes, from, p);
        this.#picking = -1;
      }
      const picking = this.#picking;
      this.#passByte(c);
      p++;
      if (this.#picking !== picking) from = p;
    }
    if (this.#picking >= 0) this.#keep(bytes, from, end);
  }

  #passByte(c: number): void {
    if (c === QUOTE) {
      this.#inString = true;
      this.#isKey = this.#expectsKey;
      this.#keyLength = 0;
    } else if (c === COLON) {
      if (this.#isKey) this.#beginMember();
    } else if (c === COMMA) {
      this.#expectsKey = this.#depth === 1 || (this.#depth === 2 && this.#isObjectInside);
    } else if (c === OPEN_OBJECT || c === OPEN_ARRAY) {
      if (this.#depth === 0 && (c === OPEN_ARRAY || this.#isComplete)) this.#isBroken = true;
      this.#depth++;
      if (this.#depth === 2) this.#isObjectInside = c === OPEN_OBJECT;
      this.#expectsKey = c === OPEN_OBJECT && this.#depth <= 2;
    } else if (c === CLOSE_OBJECT || c === CLOSE_ARRAY) {
      this.#depth--;
      this.#expectsKey = false;
      if (this.#depth === 0) this.#isComplete = true;
      if (this.#depth < 0) this.#isBroken = true;
    } else if (this.#depth <= 0 && c > 0x20) {
      this.#isBroken = true;
    }
  }

  /** At the colon behind a key. */
  #beginMember(): void {
    this.#isKey = false;
    this.#expectsKey = false;
    const key = String.fromCharCode(...this.#key.subarray(0, this.#keyLength));
    if (this.#depth === 1) this.#outerKey = key;
    const index = this.#paths.indexOf(this.#depth === 1 ? key : `${this.#outerKey}.${key}`);
    if (index < 0) return;
    this.#picking = index;
    this.#pickedDepth = this.#depth;
    this.#lengths[index] = 0;
  }

  /** Passes over a string's bytes; returns where it stopped: behind the closing quote, or at the end. */
  #passString(bytes: Uint8Array, from: number, end: number): number {
    let p = from;
    if (this.#isEscaped && p < end) {
      this.#isEscaped = false;
      p++;
    }
    const first = p;
    while (p < end && bytes[p] !== QUOTE && bytes[p] !== BACKSLASH) p++;
    if (this.#isKey) this.#keepKey(bytes, first, p);
    if (p >= end) return p;
    if (bytes[p] === QUOTE) {
      this.#inString = false;
    } else {
      this.#isEscaped = true;
      // A key with an escape is none of ours.
      this.#isKey = false;
    }
    return p + 1;
  }

  #keepKey(bytes: Uint8Array, start: number, end: number): void {
    if (this.#keyLength + end - start > KEY_BYTES_MAX) {
      this.#isKey = false;
      return;
    }
    for (let p = start; p < end; p++) this.#key[this.#keyLength++] = bytes[p];
  }

  #keep(bytes: Uint8Array, start: number, end: number): void {
    const index = this.#picking;
    const length = this.#lengths[index];
    if (length < 0) return;
    if (length + end - start > PICKED_BYTES_MAX) {
      this.#lengths[index] = -1;
      return;
    }
    if (this.#values[index].length < length + end - start) {
      const grown = new Uint8Array(Math.max(256, 2 * (length + end - start)));
      grown.set(this.#values[index].subarray(0, length));
      this.#values[index] = grown;
    }
    this.#values[index].set(bytes.subarray(start, end), length);
    this.#lengths[index] = length + end - start;
  }
}

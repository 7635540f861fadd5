import { putModelNameBack } from "../protocol/model-name.ts";

const NO_BYTES = new Uint8Array(0);

/**
 * Puts the client's model name back into an answer while it streams past. Holds back only bytes that may be the
 * beginning of a name that the next chunk ends, so fewer than one such name.
 */
export class ModelNameRestorer {
  readonly #served: string;
  readonly #requested: string;
  readonly #needles: readonly Buffer[];
  #held: Uint8Array = NO_BYTES;

  constructor(served: string, requested: string) {
    this.#served = served;
    this.#requested = requested;
    this.#needles = [`"model":"${served}"`, `"model": "${served}"`].map((text) => Buffer.from(text));
  }

  /** The next bytes of the answer; gives those that can go on. */
  push(chunk: Uint8Array): Uint8Array {
    const bytes = Buffer.concat([this.#held, chunk]);
    // A name that is complete is no beginning of another, though it ends with the quote that one begins with.
    const complete = Math.max(...this.#needles.map((needle) => lastEnd(bytes, needle)));
    const tails = this.#needles.map((needle) => openTail(bytes, needle, complete));
    const whole = bytes.length - Math.max(...tails);
    this.#held = bytes.subarray(whole);
    return putModelNameBack(bytes.subarray(0, whole), this.#served, this.#requested);
  }

  /** What was held back, at the end of the answer. */
  end(): Uint8Array {
    const held = this.#held;
    this.#held = NO_BYTES;
    return held;
  }
}

/** Where the last `needle` in `bytes` ends; 0 when there is none. */
function lastEnd(bytes: Buffer, needle: Buffer): number {
  const at = bytes.lastIndexOf(needle);
  return at < 0 ? 0 : at + needle.length;
}

/** Length of the longest end of `bytes` from `start` on that is a true beginning of `needle`. */
function openTail(bytes: Uint8Array, needle: Uint8Array, start: number): number {
  for (let length = Math.min(bytes.length - start, needle.length - 1); length > 0; length--) {
    const from = bytes.length - length;
    let same = 0;
    while (same < length && bytes[from + same] === needle[same]) same++;
    if (same === length) return length;
  }
  return 0;
}

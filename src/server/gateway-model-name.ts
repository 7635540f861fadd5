import { putModelNameBack } from "../protocol/model-name.ts";
import { bytesOf } from "../protocol/text.ts";

const NO_BYTES = new Uint8Array(0);

/**
 * Puts the client's model name back into an answer while it streams past. Holds back only bytes that may be the
 * beginning of a name that the next chunk ends, so fewer than one such name.
 */
export class ModelNameRestorer {
  readonly #served: string;
  readonly #requested: string;
  readonly #needles: readonly Uint8Array[];
  #held: Uint8Array = NO_BYTES;

  constructor(served: string, requested: string) {
    this.#served = served;
    this.#requested = requested;
    this.#needles = [bytesOf(`"model":"${served}"`), bytesOf(`"model": "${served}"`)];
  }

  /** The next bytes of the answer; gives those that can go on. */
  push(chunk: Uint8Array): Uint8Array {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const whole = bytes.length - Math.max(...this.#needles.map((needle) => openTail(bytes, needle)));
    this.#held = whole === bytes.length ? NO_BYTES : new Uint8Array(bytes.subarray(whole));
    return putModelNameBack(bytes.subarray(0, whole), this.#served, this.#requested);
  }

  /** What was held back, at the end of the answer. */
  end(): Uint8Array {
    const held = this.#held;
    this.#held = NO_BYTES;
    return held;
  }
}

/** Length of the longest end of `bytes` that is a true beginning of `needle`. */
function openTail(bytes: Uint8Array, needle: Uint8Array): number {
  for (let length = Math.min(bytes.length, needle.length - 1); length > 0; length--) {
    const from = bytes.length - length;
    let same = 0;
    while (same < length && bytes[from + same] === needle[same]) same++;
    if (same === length) return length;
  }
  return 0;
}

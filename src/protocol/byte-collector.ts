/** Smaller pieces than this are copied together, so that a body of 1-byte pieces costs no object for each byte. */
const SMALL_BYTES = 4096;
const PAGE_BYTES = 16_384;
const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Collects the pieces of a body: big ones and the first stay views over what came, small ones are copied into pages. */
export class ByteCollector {
  #pieces: Uint8Array[] = [];
  /** Page that small pieces go to; its used part is no piece yet. */
  #page: Uint8Array | undefined;
  #pageUsed = 0;
  #length = 0;

  /** Bytes collected. */
  get length(): number {
    return this.#length;
  }

  push(piece: Uint8Array): void {
    if (piece.length === 0) return;
    const first = this.#length === 0;
    this.#length += piece.length;
    if (first || piece.length >= SMALL_BYTES) {
      this.#closePage();
      this.#pieces.push(piece);
      return;
    }
    let from = 0;
    while (from < piece.length) {
      this.#page ??= new Uint8Array(PAGE_BYTES);
      const size = Math.min(piece.length - from, PAGE_BYTES - this.#pageUsed);
      this.#page.set(piece.subarray(from, from + size), this.#pageUsed);
      this.#pageUsed += size;
      from += size;
      if (this.#pageUsed === PAGE_BYTES) this.#closePage();
    }
  }

  /** Everything as pieces in order; the collector is empty afterwards. */
  takePieces(): readonly Uint8Array[] {
    this.#closePage();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#length = 0;
    return pieces;
  }

  /** Everything in one span (copied only when it came in several pieces); the collector is empty afterwards. */
  takeWhole(): Uint8Array {
    return joined(this.takePieces());
  }

  #closePage(): void {
    if (this.#page && this.#pageUsed > 0) this.#pieces.push(this.#page.subarray(0, this.#pageUsed));
    this.#page = undefined;
    this.#pageUsed = 0;
  }
}

/** Pieces as one span; the piece itself when there is only one. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length <= 1) return pieces[0] ?? NO_BYTES;
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

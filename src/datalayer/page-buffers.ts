/** Bytes of a new buffer: most metrics pages fit. */
const FIRST_BYTES = 256 * 1024;
/** Larger buffers are not kept for later. */
const SPARE_BYTES_MAX = 1 << 20;
/** Most buffers kept for later. */
const SPARES_MAX = 16;

export interface PageLimits {
  /** Most bytes of one page. */
  readonly pageBytesMax: number;
  /** Most bytes of buffers for pages that are being read, of all endpoints. */
  readonly pageBytesInFlightMax: number;
}

/** Buffers for pages while they are read, shared by all endpoints and used again. */
export class PageBuffers {
  readonly limits: PageLimits;
  readonly #spares: Uint8Array[] = [];
  #bytesInFlight = 0;

  constructor(limits: PageLimits) {
    this.limits = limits;
  }

  /** Bytes of all buffers in use. */
  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  /** A buffer of at least that many bytes. Throws when the limit of all is reached. */
  take(bytesMin: number): Uint8Array {
    const spare = this.#spares.findLastIndex((buffer) => buffer.length >= bytesMin);
    const size = spare >= 0 ? this.#spares[spare].length : Math.max(FIRST_BYTES, bytesMin);
    const { pageBytesInFlightMax } = this.limits;
    if (this.#bytesInFlight + size > pageBytesInFlightMax)
      throw new Error(`metrics pages being read take more than ${pageBytesInFlightMax} bytes together`);
    this.#bytesInFlight += size;
    return spare >= 0 ? this.#spares.splice(spare, 1)[0] : new Uint8Array(size);
  }

  give(buffer: Uint8Array): void {
    this.#bytesInFlight -= buffer.length;
    if (buffer.length <= SPARE_BYTES_MAX && this.#spares.length < SPARES_MAX) this.#spares.push(buffer);
  }
}

/** One page as it arrives. Holds no buffer before its first byte. */
export class PageBuffer {
  length = 0;
  readonly #buffers: PageBuffers;
  #buffer: Uint8Array | undefined;

  constructor(buffers: PageBuffers) {
    this.#buffers = buffers;
  }

  /** The page so far; valid until the next call of anything here. */
  bytes(): Uint8Array {
    return this.#buffer?.subarray(0, this.length) ?? new Uint8Array(0);
  }

  /** Throws when a page of that many bytes is too long. */
  expect(bytes: number): void {
    const { pageBytesMax } = this.#buffers.limits;
    if (bytes > pageBytesMax) throw new Error(`the page has more than ${pageBytesMax} bytes`);
  }

  /** Adds chunk[start, end). Throws when the page becomes too long, or all pages together. */
  append(chunk: Uint8Array, start: number, end: number): void {
    const length = this.length + end - start;
    this.expect(length);
    if (!this.#buffer || length > this.#buffer.length) this.#grow(length);
    this.#buffer!.set(chunk.subarray(start, end), this.length);
    this.length = length;
  }

  /** Gives the buffer back and starts anew. */
  clear(): void {
    if (this.#buffer) this.#buffers.give(this.#buffer);
    this.#buffer = undefined;
    this.length = 0;
  }

  #grow(length: number): void {
    const larger = this.#buffers.take(this.#buffer ? Math.max(length, this.#buffer.length * 2) : length);
    if (this.#buffer) {
      larger.set(this.#buffer.subarray(0, this.length));
      this.#buffers.give(this.#buffer);
    }
    this.#buffer = larger;
  }
}

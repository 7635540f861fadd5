/** Bytes that a stream may have waiting in the transport even when the account is full, so that answers still flow. */
const FLOWING_BYTES = 262_144;

/**
 * Counts the bytes of bodies that the process holds for all its streams: collected ones and those handed to the
 * transport that have not left yet. One for a server.
 */
export class BodyAccount {
  readonly #bytesMax: number;
  #bytes = 0;

  /** @param bodyBytesInFlightMax most bytes over all streams (requests; answers get a little more to flow) */
  constructor(bodyBytesInFlightMax: number) {
    this.#bytesMax = bodyBytesInFlightMax;
  }

  get bytes(): number {
    return this.#bytes;
  }
  get bytesMax(): number {
    return this.#bytesMax;
  }

  /** Adds (or, below zero, takes off) without looking at the limit. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** A stream's share in it. */
  open(): BodyShare {
    return new BodyShare(this);
  }
}

/** What one stream holds. Everything is given back when it closes, whatever was forgotten. */
export class BodyShare {
  readonly #account: BodyAccount;
  #bytes = 0;
  #closed = false;

  constructor(account: BodyAccount) {
    this.#account = account;
  }

  /** Bytes that this stream holds. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes bytes of a request; false, and nothing taken, when the account is full. */
  take(bytes: number): boolean {
    if (this.#account.bytes + bytes > this.#account.bytesMax) return false;
    this.hold(bytes);
    return true;
  }

  /** Takes bytes of an answer: refused only when the account is full and this stream is one of those that fill it. */
  takeFlowing(bytes: number): boolean {
    if (this.#account.bytes + bytes > this.#account.bytesMax && this.#bytes + bytes > FLOWING_BYTES) return false;
    this.hold(bytes);
    return true;
  }

  /** True when the account has room for so many bytes more. */
  hasRoom(bytes: number): boolean {
    return this.#account.bytes + bytes <= this.#account.bytesMax;
  }

  /** Takes without asking. */
  hold(bytes: number): void {
    if (this.#closed) return;
    this.#bytes += bytes;
    this.#account.add(bytes);
  }

  /** Gives back; never more than is held. */
  give(bytes: number): void {
    const given = Math.min(bytes, this.#bytes);
    this.#bytes -= given;
    this.#account.add(-given);
  }

  /** Gives everything back; later calls change nothing. */
  close(): void {
    this.give(this.#bytes);
    this.#closed = true;
  }
}

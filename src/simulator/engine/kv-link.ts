/** What moving KV between pods costs. */
export interface KvLinkOptions {
  /** Bytes a second, all transfers of the pod together. */
  readonly bytesPerSecond: number;
  /** Each transfer beside its bytes: handshake, posting of descriptors, notification. Microseconds. */
  readonly latencyUs: number;
}

const MICROS = 1_000_000;

/**
 * The network card of one pod: transfers go one after another, in the order in which they came, each at the whole
 * bandwidth, so that together they never have more. A transfer of n bytes takes `latencyUs + n / bytesPerSecond`; only
 * the bytes occupy the link.
 */
export class KvLink {
  readonly #options: KvLinkOptions;
  #freeAtUs = 0;

  constructor(options: KvLinkOptions) {
    this.#options = options;
  }

  /** Takes the link for one transfer; returns when it ends, whole microseconds. */
  take(nowUs: number, bytes: number): number {
    const { bytesPerSecond, latencyUs } = this.#options;
    this.#freeAtUs = Math.max(this.#freeAtUs, nowUs) + (bytes * MICROS) / bytesPerSecond;
    return Math.ceil(this.#freeAtUs + latencyUs);
  }
}

import type { EngineHost } from "./engine-host.ts";
import type { KvStats } from "./kv-stats.ts";
import type { KvTransferOptions } from "./kv-transfer-options.ts";
import type { PodRequest } from "./pod-request.ts";

/** Finished prefills whose blocks wait for a decode pod to fetch them, each for a bounded time of the model's clock. */
export class KvHolds {
  readonly #host: EngineHost;
  readonly #options: KvTransferOptions;
  readonly #stats: KvStats;
  /** In the order in which they expire, since all are held equally long. */
  readonly #held = new Map<string, { readonly request: PodRequest; readonly expiresUs: number }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(host: EngineHost, options: KvTransferOptions, stats: KvStats) {
    this.#host = host;
    this.#options = options;
    this.#stats = stats;
  }

  /** A request that holds its blocks has finished. False when too many are held: its blocks are given back. */
  add(request: PodRequest): boolean {
    if (this.#held.size >= this.#options.holdsMax) {
      this.#host.releaseHeld(request);
      this.#stats.holds.refused++;
      return false;
    }
    this.#held.set(request.id, { request, expiresUs: this.#host.clock.nowUs() + this.#options.holdUsMax });
    if (this.#held.size === 1) this.#arm();
    return true;
  }

  /** The request of this id, if its blocks are held. */
  find(requestId: string): PodRequest | undefined {
    return this.#held.get(requestId)?.request;
  }

  /** A peer has read the blocks, or wants them no more. False when they are not held. */
  release(requestId: string): boolean {
    const held = this.#held.get(requestId);
    if (!held) return false;
    this.#held.delete(requestId);
    this.#host.releaseHeld(held.request);
    this.#stats.holds.released++;
    this.#arm();
    return true;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const first = this.#held.values().next().value;
    if (!first) return;
    const { clock } = this.#host;
    // A timer can't be longer than that; it is set anew when it rings early.
    const waitMs = Math.min(Math.ceil(clock.realMs(first.expiresUs - clock.nowUs())), TIMER_MS_MAX);
    this.#timer = setTimeout(() => this.#expire(), Math.max(0, waitMs));
  }

  #expire(): void {
    const nowUs = this.#host.clock.nowUs();
    for (const [id, { request, expiresUs }] of this.#held) {
      if (expiresUs > nowUs) break;
      this.#held.delete(id);
      this.#host.releaseHeld(request);
      this.#stats.holds.expired++;
    }
    this.#arm();
  }
}

const TIMER_MS_MAX = 2 ** 31 - 1;

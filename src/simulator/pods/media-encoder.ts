import { setTimeout as delay } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import { KvLink } from "../engine/kv-link.ts";
import type { RemoteMedia } from "./ec-transfer-params.ts";
import { KV_TRANSFER_DEFAULTS } from "./kv-transfer-options.ts";
import type { ModelClock } from "./model-clock.ts";
import type { GenerationParams } from "./openai-request.ts";
import { mediaOf } from "./openai-request.ts";
import { PeerClient } from "./peer-client.ts";
import type { PodSettings } from "./pod-options.ts";

/** Asks for an encoded item: 200 when the pod has it. */
export const EC_READ_PATH = "/sim/ec/read";

/** What one token's embedding takes: 4096 numbers of two bytes. */
const EMBEDDING_BYTES_PER_TOKEN = 8192;

/** Where encoded items came from. */
export interface MediaCounts {
  /** Encoded here. */
  encoded: number;
  /** Found in the pod's own encoder cache. */
  cached: number;
  /** Fetched from an encode pod. */
  fetched: number;
  /** Were to come from one and did not: encoded here. */
  failed: number;
}

/** The vision encoder of a pod and its cache: what media of a prompt cost it, and what it fetches from encode pods. */
export class MediaEncoder {
  readonly counts: MediaCounts = { encoded: 0, cached: 0, fetched: 0, failed: 0 };
  readonly #encodeUs: number;
  readonly #clock: ModelClock;
  readonly #cache: LRUCache<string, true>;
  readonly #link: KvLink;
  readonly #client: PeerClient;

  constructor(settings: PodSettings, clock: ModelClock) {
    const { encodeUs, encodedItemsMax, timeScale, kvTransfer = KV_TRANSFER_DEFAULTS } = settings;
    this.#encodeUs = timeScale === 0 ? 0 : encodeUs;
    this.#clock = clock;
    this.#cache = new LRUCache({ max: encodedItemsMax });
    this.#link = new KvLink(kvTransfer);
    this.#client = new PeerClient(kvTransfer.peerMsMax);
  }

  /** True when the item with this hash is encoded. */
  has(hash: string): boolean {
    return this.#cache.has(hash);
  }

  /**
   * Fetches what encode pods have for a prompt; returns the time that the pod itself takes for the rest, microseconds.
   * A prompt whose KV is fetched needs no media, unless that fails: nothing is fetched or counted for it.
   */
  async prepare({ prompt, kvTransfer, ecTransfer }: GenerationParams, signal: AbortSignal): Promise<number> {
    if (!("messages" in prompt)) return 0;
    const items = mediaOf(prompt.messages);
    if (kvTransfer.from) return items.filter(({ hash }) => !this.has(hash)).length * this.#encodeUs;
    let encodeUs = 0;
    for (const { hash, tokens } of items) {
      const remote = ecTransfer.get(hash);
      if (this.#cache.get(hash)) this.counts.cached++;
      else if (remote && (await this.#fetch(hash, tokens, remote, signal))) this.counts.fetched++;
      else {
        if (remote) this.counts.failed++;
        this.counts.encoded++;
        encodeUs += this.#encodeUs;
      }
      this.#cache.set(hash, true);
    }
    return encodeUs;
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #fetch(hash: string, tokens: number, remote: RemoteMedia, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#client.call(remote, EC_READ_PATH, { engine_id: remote.engineId, hash }, signal);
      const endUs = this.#link.take(this.#clock.nowUs(), tokens * EMBEDDING_BYTES_PER_TOKEN);
      if (this.#clock.timeScale > 0) {
        await delay(Math.ceil(this.#clock.realMs(endUs - this.#clock.nowUs())), undefined, { signal });
      }
      return true;
    } catch {
      return false;
    }
  }
}

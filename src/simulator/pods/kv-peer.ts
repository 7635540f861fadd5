import type { RemotePrefill } from "./kv-transfer-params.ts";
import { PeerClient } from "./peer-client.ts";

/** Asks for held blocks; told what they hold. */
export const KV_READ_PATH = "/sim/kv/read";
/** Says that held blocks are read, or not wanted. */
export const KV_RELEASE_PATH = "/sim/kv/release";

/** What held blocks hold. */
export interface HeldContent {
  readonly blockSizeTokens: number;
  readonly tokens: number;
  /** Chained hash of the last full block, which stands for all tokens up to its end; empty when no block is full. */
  readonly prefixHash: string;
}

/**
 * The way to another pod's held blocks. The bytes of the KV themselves are not sent; their time is modelled (see
 * kv-link.ts).
 */
export class KvPeer {
  readonly #client: PeerClient;

  /** A peer that takes longer than `msMax` has failed. */
  constructor(msMax: number) {
    this.#client = new PeerClient(msMax);
  }

  /** What the named blocks hold. Rejects when the peer is not there or does not hold them. */
  async read(remote: RemotePrefill, signal: AbortSignal): Promise<HeldContent> {
    const answer = await this.#client.call(remote, KV_READ_PATH, asked(remote), signal);
    const { block_size: blockSizeTokens, tokens, prefix_hash: prefixHash } = answer;
    if (typeof blockSizeTokens !== "number" || typeof tokens !== "number" || typeof prefixHash !== "string") {
      throw new Error(`Cannot read KV of ${remote.requestId}: the peer's answer is none`);
    }
    return { blockSizeTokens, tokens, prefixHash };
  }

  /** Tells the peer that its blocks are read, or not wanted. Rejects when it can't be told. */
  async release(remote: RemotePrefill): Promise<void> {
    await this.#client.call(remote, KV_RELEASE_PATH, asked(remote));
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

const asked = ({ engineId, requestId, blockIds }: RemotePrefill): object => ({
  engine_id: engineId,
  request_id: requestId,
  block_ids: blockIds,
});

import { Agent, request as httpRequest } from "undici";
import { originOf } from "./http-listener.ts";
import type { RemotePrefill } from "./kv-transfer-params.ts";

/**
 * The way to another pod's held blocks, over HTTP in the place of NIXL's side channel and RDMA: `read` asks for them and
 * is told what they hold, `release` says that they are read. The bytes of the KV themselves are not sent; their time is
 * modelled (see kv-link.ts).
 */
export const KV_READ_PATH = "/sim/kv/read";
export const KV_RELEASE_PATH = "/sim/kv/release";

/** What held blocks hold. */
export interface HeldContent {
  readonly blockSizeTokens: number;
  readonly tokens: number;
  /** Chained hash of the last full block, which stands for all tokens up to its end; empty when no block is full. */
  readonly prefixHash: string;
}

const ANSWER_BYTES_MAX = 64 * 1024;
/** Peers with open connections; a fetch from one more fails. */
const PEERS_MAX = 10_000;

/** Talks to the peers of one pod. */
export class KvPeer {
  readonly #agent: Agent;
  readonly #msMax: number;

  /** A peer that takes longer than `msMax` has failed. */
  constructor(msMax: number) {
    this.#msMax = msMax;
    this.#agent = new Agent({
      connect: { timeout: msMax },
      maxResponseSize: ANSWER_BYTES_MAX,
      maxOrigins: PEERS_MAX,
    });
  }

  /** What the named blocks hold. Rejects when the peer is not there or does not hold them. */
  async read(remote: RemotePrefill, signal: AbortSignal): Promise<HeldContent> {
    const answer = await this.#call(KV_READ_PATH, remote, signal);
    const { block_size: blockSizeTokens, tokens, prefix_hash: prefixHash } = answer;
    if (typeof blockSizeTokens !== "number" || typeof tokens !== "number" || typeof prefixHash !== "string") {
      throw new Error(`Cannot read KV of ${remote.requestId}: the peer's answer is none`);
    }
    return { blockSizeTokens, tokens, prefixHash };
  }

  /** Tells the peer that its blocks are read, or not wanted. Rejects when it can't be told. */
  async release(remote: RemotePrefill): Promise<void> {
    await this.#call(KV_RELEASE_PATH, remote);
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #call(path: string, remote: RemotePrefill, signal?: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
    const timeUp = AbortSignal.timeout(this.#msMax);
    const { statusCode, body } = await httpRequest(`${originOf(remote.host, remote.port)}${path}`, {
      method: "POST",
      dispatcher: this.#agent,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        engine_id: remote.engineId,
        request_id: remote.requestId,
        block_ids: remote.blockIds,
      }),
      signal: signal ? AbortSignal.any([signal, timeUp]) : timeUp,
    });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`Cannot reach KV of ${remote.requestId}: the peer answered ${statusCode}`);
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  }
}

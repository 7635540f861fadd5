import type { KvLinkOptions } from "../engine/kv-link.ts";

/** How a pod moves KV to and from its peers (vLLM's --kv-transfer-config with the NixlConnector). */
export interface KvTransferOptions extends KvLinkOptions {
  /** KV of one token, of the model. */
  readonly bytesPerToken: number;
  /** Fetches under way at once; the prompt of one more is computed. */
  readonly transfersMax: number;
  /** Finished requests whose blocks are held for a peer; one more is not held, and its answer names no blocks. */
  readonly holdsMax: number;
  /** Model time after which held blocks that no one fetched are given back, microseconds. */
  readonly holdUsMax: number;
  /** Real time that a peer has to answer, milliseconds. */
  readonly peerMsMax: number;
  /** What happens to a request whose fetch failed (vLLM's kv_load_failure_policy). */
  readonly loadFailure: LoadFailure;
}

export type LoadFailure = "recompute" | "fail";

/**
 * 25 GB/s is a link of 200 Gbit/s; 1 ms for each transfer. The time to hold is that of vLLM without the renewals of its
 * later releases, which the pods don't have.
 */
export const KV_TRANSFER_DEFAULTS = {
  bytesPerSecond: 25_000_000_000,
  latencyUs: 1000,
  transfersMax: 256,
  holdsMax: 4096,
  holdUsMax: 480_000_000,
  peerMsMax: 5000,
  loadFailure: "recompute",
} as const satisfies Partial<KvTransferOptions>;

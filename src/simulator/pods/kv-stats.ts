import { Histogram } from "./histogram.ts";
import { MetricsText } from "./metrics-text.ts";

/** What became of prompts that a peer was to have computed. */
export type FetchOutcome =
  /** The KV came. */
  | "fetched"
  /** The peer was not there, does not hold it any more, or holds something else. */
  | "failed"
  /** `kv_transfer_params` lacked something. */
  | "incomplete"
  /** Too many transfers were under way. */
  | "refused"
  /** The client went away first. */
  | "aborted";

/** What became of requests whose blocks were to be held for a peer. */
export type HoldOutcome = "released" | "expired" | "refused";

const BYTES_BOUNDS = Array.from({ length: 10 }, (_, i) => 2 ** (20 + 2 * i));
const SECONDS_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 5];

/** Counters of one pod's KV transfers. */
export class KvStats {
  readonly fetches: Record<FetchOutcome, number> = { fetched: 0, failed: 0, incomplete: 0, refused: 0, aborted: 0 };
  readonly holds: Record<HoldOutcome, number> = { released: 0, expired: 0, refused: 0 };
  /** Prompt tokens asked of peers, and those that came. */
  queriedTokens = 0;
  fetchedTokens = 0;
  /** Peers that could not be told that their blocks are read. */
  failedNotifications = 0;
  /** Seconds of model time. */
  readonly transferSeconds = new Histogram(SECONDS_BOUNDS);
  readonly transferBytes = new Histogram(BYTES_BOUNDS);
}

/** The part of `/metrics` that a pod with KV transfer has beside the others: vLLM's names, and two of our own. */
export function kvMetrics(stats: KvStats, modelName: string, startedSeconds: number): string {
  const text = new MetricsText({ engine: "0", model_name: modelName }, startedSeconds);
  text.histogram("vllm:nixl_xfer_time_seconds", "Time of a KV transfer.", stats.transferSeconds);
  text.histogram("vllm:nixl_bytes_transferred", "Bytes of a KV transfer.", stats.transferBytes);
  text.counter("vllm:nixl_num_failed_transfers", "KV transfers that failed.", [{}, stats.fetches.failed]);
  text.counter("vllm:nixl_num_failed_notifications", "Peers that could not be told that their KV is read.", [
    {},
    stats.failedNotifications,
  ]);
  text.counter("vllm:nixl_num_kv_expired_reqs", "Requests whose held KV no one fetched in time.", [
    {},
    stats.holds.expired,
  ]);
  text.counter(
    "sim:remote_prefills",
    "Prompts that a peer was to have computed, by what became of them; all but the fetched are computed here.",
    ...Object.entries(stats.fetches).map(([outcome, count]) => [{ outcome }, count] as const),
  );
  text.counter(
    "sim:held_prefills",
    "Prompts computed and held for a peer, by how that ended.",
    ...Object.entries(stats.holds).map(([outcome, count]) => [{ outcome }, count] as const),
  );
  return text.text();
}

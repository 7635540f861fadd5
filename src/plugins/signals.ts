import type { DataKey } from "../core/data-key.ts";
import { dataKey } from "../core/data-key.ts";

/** Type, and so default name, of the extractor that reads model servers' core metrics. */
export const CORE_METRICS_EXTRACTOR = "core-metrics-extractor";

/** Signals that it produces; they live in the columns of `Endpoints`, the keys only tie config entries together. */
export const CORE_SIGNALS = ["WaitingQueueSize", "RunningRequestsSize", "KVCacheUsagePercent"] as const;

/** Key of a signal. It has the extractor's type, whatever its own name is, as stock. */
export const signalKey = (signal: (typeof CORE_SIGNALS)[number]): DataKey<number> =>
  dataKey(signal, CORE_METRICS_EXTRACTOR);

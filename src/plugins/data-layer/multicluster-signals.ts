import type { DataKey } from "../../core/data-key.ts";
import { dataKey } from "../../core/data-key.ts";

/** Type of the extractor, and the producer's name in its keys whatever its own name is, as stock. */
export const MULTICLUSTER_METRICS_EXTRACTOR = "multicluster-metrics-extractor";

/** Attributes of a cluster, in columns of these names. */
export const CLUSTER_KV_USAGE = "llm-d.ai/multicluster-kv-cache-utilization";
export const CLUSTER_QUEUE = "llm-d.ai/multicluster-queue-size";

export const clusterSignalKey = (attribute: string): DataKey<number> =>
  dataKey(attribute, MULTICLUSTER_METRICS_EXTRACTOR);

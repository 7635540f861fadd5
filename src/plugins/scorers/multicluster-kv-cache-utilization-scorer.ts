import { CLUSTER_KV_USAGE, clusterSignalKey } from "../data-layer/multicluster-signals.ts";
import { defineScorer } from "../define.ts";
import { noParams } from "../params.ts";

/**
 * Prefers the cluster with the most free KV cache: score = 1 - average KV cache use (0..1, a use beyond that is held to
 * it). A use never seen scores 0, a stale one counts as it was. Source: scheduling/scorer/kvcacheutilization.
 */
export const multiclusterKvCacheUtilizationScorer = defineScorer({
  type: "multicluster-kv-cache-utilization-scorer",
  stability: "alpha",
  params: noParams,
  ignoresParams: true,
  data: () => ({ requires: [clusterSignalKey(CLUSTER_KV_USAGE)] }),
  example: `
plugins:
- type: multicluster-kv-cache-utilization-scorer
- type: multicluster-metrics-data-source
- type: multicluster-metrics-extractor
dataLayer:
  sources:
  - pluginRef: multicluster-metrics-data-source
    extractors:
    - pluginRef: multicluster-metrics-extractor
`,
  create: (_params, { endpoints }) => {
    const column = endpoints.column(CLUSTER_KV_USAGE);
    return {
      score(_request, { count, slots }, out) {
        for (let i = 0; i < count; i++) {
          const usage = column.values[slots[i]];
          out[i] = Number.isNaN(usage) ? 0 : 1 - usage;
        }
      },
    };
  },
});

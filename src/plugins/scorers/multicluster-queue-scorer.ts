import { CLUSTER_QUEUE, clusterSignalKey } from "../data-layer/multicluster-signals.ts";
import { defineScorer } from "../define.ts";
import { noParams } from "../params.ts";
import { lowerIsBetter } from "./lower-is-better.ts";

/**
 * Prefers the cluster with the shortest average queue: 1 for the shortest, 0 for the longest, linear between; 1 for all
 * when equal.
 *
 * score = (max - queue) / (max - min) over the candidates whose queue is known. One never seen scores 0 and counts for
 * neither end, a stale one counts as it was. Source: scheduling/scorer/queuedepth.
 */
export const multiclusterQueueScorer = defineScorer({
  type: "multicluster-queue-scorer",
  stability: "alpha",
  params: noParams,
  ignoresParams: true,
  data: () => ({ requires: [clusterSignalKey(CLUSTER_QUEUE)] }),
  example: `
plugins:
- type: multicluster-queue-scorer
- type: multicluster-metrics-data-source
- type: multicluster-metrics-extractor
dataLayer:
  sources:
  - pluginRef: multicluster-metrics-data-source
    extractors:
    - pluginRef: multicluster-metrics-extractor
`,
  create: (_params, { endpoints }) => {
    const column = endpoints.column(CLUSTER_QUEUE);
    return { score: (_request, candidates, out) => lowerIsBetter(column.values, candidates, out) };
  },
});

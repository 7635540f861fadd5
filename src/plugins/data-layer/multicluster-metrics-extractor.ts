import { z } from "zod";
import { defineDataLayerType } from "../define.ts";
import { metricSpecOr } from "./engine-configs.ts";
import { AttributeSignals } from "./attribute-signals.ts";
import {
  CLUSTER_KV_USAGE,
  CLUSTER_QUEUE,
  clusterSignalKey,
  MULTICLUSTER_METRICS_EXTRACTOR,
} from "./multicluster-signals.ts";
import type { PageExtractor } from "./page-extractor.ts";

const params = z.strictObject({
  kvCacheUtilizationMetric: metricSpecOr("llm_d_epp_average_kv_cache_utilization").describe(
    "Series of a cluster's KV cache use, 0..1.",
  ),
  queueSizeMetric: metricSpecOr("llm_d_epp_average_queue_size").describe("Series of a cluster's queue."),
});

type Params = z.infer<typeof params>;

/**
 * Reads the average KV cache use and queue of a whole cluster from the metrics page of its picker, as attributes of the
 * endpoint that stands for the cluster. Of series that match, the latest by timestamp counts, the first when none has
 * one; values come from gauges and counters only, others count as 0. A metric that is missing, NaN or infinite is an
 * error, and the last value stays. Source: extractor/metrics/multicluster.go.
 */
export const multiclusterMetricsExtractor = defineDataLayerType("extractor", {
  type: MULTICLUSTER_METRICS_EXTRACTOR,
  stability: "alpha",
  payload: "metrics",
  params,
  data: () => ({ produces: [clusterSignalKey(CLUSTER_KV_USAGE), clusterSignalKey(CLUSTER_QUEUE)] }),
  example: `
plugins:
- type: multicluster-metrics-data-source
- type: multicluster-metrics-extractor
  parameters: {queueSizeMetric: 'llm_d_epp_average_queue_size{name="pool"}'}
dataLayer:
  sources:
  - pluginRef: multicluster-metrics-data-source
    extractors:
    - pluginRef: multicluster-metrics-extractor
`,
});

export function createMulticlusterMetricsExtractor(config: z.input<typeof params>): PageExtractor {
  const { kvCacheUtilizationMetric, queueSizeMetric }: Params = params.parse(config);
  const signals = new AttributeSignals([
    { attributeKey: CLUSTER_KV_USAGE, metricSpec: kvCacheUtilizationMetric },
    { attributeKey: CLUSTER_QUEUE, metricSpec: queueSizeMetric },
  ]);
  return { type: MULTICLUSTER_METRICS_EXTRACTOR, extract: (page) => signals.extract(page) };
}

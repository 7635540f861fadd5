import { z } from "zod";
import { httpSourceParams, scrapeInterval } from "../data-layer/http-source-params.ts";
import { int, noParams, textOr } from "../params.ts";
import { attributeKey } from "./data-kinds.ts";
import { defineUnbuilt } from "./define-unbuilt.ts";

const DCGM_PORT = 9400;

// 10.1
const multiclusterMetricsSource = defineUnbuilt({
  type: "multicluster-metrics-data-source",
  points: ["dataSource"],
  stability: "alpha",
  params: httpSourceParams({ scheme: "https", path: "/metrics", insecureSkipVerify: false }),
});

// 10.2
const multiclusterMetricsExtractor = defineUnbuilt({
  type: "multicluster-metrics-extractor",
  points: ["extractor"],
  stability: "alpha",
  params: z.strictObject({
    kvCacheUtilizationMetric: textOr("llm_d_epp_average_kv_cache_utilization").describe("KV cache use of a cluster."),
    queueSizeMetric: textOr("llm_d_epp_average_queue_size").describe("Queue of a cluster."),
  }),
  data: (_params, name) => ({
    produces: [
      attributeKey("llm-d.ai/multicluster-kv-cache-utilization", name),
      attributeKey("llm-d.ai/multicluster-queue-size", name),
    ],
  }),
});

// 10.3
const modelsSource = defineUnbuilt({
  type: "models-data-source",
  points: ["dataSource"],
  params: httpSourceParams({ scheme: "http", path: "/v1/models", insecureSkipVerify: true }),
});
const modelsExtractor = defineUnbuilt({
  type: "models-data-extractor",
  points: ["extractor"],
  params: noParams,
  ignoresParams: true,
  data: (_params, name) => ({ produces: [attributeKey("/v1/models", name)] }),
});

// 10.4
const dcgmSource = defineUnbuilt({
  type: "dcgm-data-source",
  points: ["dataSource"],
  stability: "alpha",
  params: z.strictObject({
    port: int.min(1).max(65_535).default(DCGM_PORT).describe("Port of the GPU exporter."),
    useNodeAddress: z.boolean().default(false).describe("The exporter is on the pod's node, not in the pod."),
    interval: scrapeInterval,
  }),
});
const dcgmExtractor = defineUnbuilt({
  type: "dcgm-extractor",
  points: ["extractor"],
  stability: "alpha",
  params: noParams,
  ignoresParams: true,
  data: (_params, name) => ({ produces: [attributeKey("GPUUtilization", name)] }),
});

// 10.6
const endpointNotifications = defineUnbuilt({
  type: "endpoint-notification-source",
  points: ["dataSource"],
  params: noParams,
  ignoresParams: true,
});
const k8sNotifications = defineUnbuilt({
  type: "k8s-notification-source",
  points: ["dataSource"],
  params: z.strictObject({
    group: z.string().default("").describe('API group of what is watched; "" = core.'),
    version: z.string().min(1, "an API version").describe("API version of what is watched."),
    kind: z.string().min(1, "a kind").describe("Kind of what is watched."),
  }),
});

// 10.7
const multiclusterFileDiscovery = defineUnbuilt({
  type: "multicluster-file-discovery",
  points: ["discovery"],
  stability: "alpha",
  params: z.strictObject({
    path: z.string().min(1, "the path of the clusters file").describe("The clusters file, YAML or JSON."),
    watchFile: z.boolean().default(false).describe("Whether the file is read again when it changes."),
  }),
});

export const UNBUILT_DATA_LAYER = [
  multiclusterMetricsSource,
  multiclusterMetricsExtractor,
  modelsSource,
  modelsExtractor,
  dcgmSource,
  dcgmExtractor,
  endpointNotifications,
  k8sNotifications,
  multiclusterFileDiscovery,
];

import { z } from "zod";
import { prefixMatchKey, topologyKey } from "../../core/data-key.ts";
import { TOPOLOGY_EXTRACTOR } from "../data-layer/topology-extractor.ts";
import { int, noParams, producerName } from "../params.ts";
import {
  attributeKey,
  encoderCacheKey,
  latencyKey,
  MM_EMBEDDINGS_CACHE_PRODUCER,
  PREDICTED_LATENCY_PRODUCER,
} from "./data-kinds.ts";
import { defineUnbuilt } from "./define-unbuilt.ts";

const MULTICLUSTER_EXTRACTOR = "multicluster-metrics-extractor";
const MULTICLUSTER_PREFIX_PRODUCER = "multicluster-approx-prefix-cache-producer";

// 2.1, 2.2: lower is better, over what other clusters' pickers tell.
const multiclusterSignal = (type: string, attribute: string) =>
  defineUnbuilt({
    type,
    points: ["scorer"],
    stability: "alpha",
    params: noParams,
    ignoresParams: true,
    data: () => ({ wants: [attributeKey(attribute, MULTICLUSTER_EXTRACTOR)] }),
  });

// 2.5
const multiclusterPrefix = defineUnbuilt({
  type: "multicluster-prefix-cache-scorer",
  points: ["scorer"],
  stability: "alpha",
  params: z
    .strictObject({
      prefixMatchInfoProducerName: producerName(MULTICLUSTER_PREFIX_PRODUCER).describe(
        "Name of the producer that tells how much of the prompt each cluster holds.",
      ),
      matchLengthWeight: z
        .number()
        .min(0)
        .max(1)
        .default(0)
        .describe("Share of the match's length in the score, 0..1."),
      matchLengthScaleTokens: int.default(8192).describe("Tokens of a match at which its length counts fully."),
    })
    .refine(({ matchLengthWeight, matchLengthScaleTokens }) => matchLengthWeight === 0 || matchLengthScaleTokens > 0, {
      path: ["matchLengthScaleTokens"],
      message: "a number above 0 when matchLengthWeight is above 0",
    }),
  data: ({ prefixMatchInfoProducerName }) => ({ requires: [prefixMatchKey(prefixMatchInfoProducerName)] }),
});

const weight = (fallback: number, what: string) => z.number().default(fallback).describe(`Weight of ${what}.`);

// 2.14
const latency = defineUnbuilt({
  type: "latency-scorer",
  points: ["scorer"],
  params: z.strictObject({
    ttftWeight: weight(0.8, "the time to the first token"),
    tpotWeight: weight(0.2, "the time for each further token"),
    headroomSelectionStrategy: z.string().default("least").describe("least or most headroom first; others mean least."),
    compositeKVWeight: weight(1, "free KV cache, where nothing is predicted"),
    compositeQueueWeight: weight(1, "short queues, where nothing is predicted"),
    compositePrefixWeight: weight(1, "the cached prefix, where nothing is predicted"),
    latencyPredictionInfoProducerName: producerName(PREDICTED_LATENCY_PRODUCER).describe("Who predicts."),
    prefixMatchInfoProducerName: producerName("approx-prefix-cache-producer").describe("Who tells of cached prefixes."),
  }),
  data: ({ latencyPredictionInfoProducerName, prefixMatchInfoProducerName }) => ({
    requires: [latencyKey(latencyPredictionInfoProducerName), prefixMatchKey(prefixMatchInfoProducerName)],
  }),
});

// 2.15
const mmEmbeddingsCache = defineUnbuilt({
  type: "mm-embeddings-cache-scorer",
  points: ["scorer"],
  params: z.strictObject({
    producerName: producerName(MM_EMBEDDINGS_CACHE_PRODUCER).describe("Who tells which embeddings endpoints hold."),
  }),
  data: ({ producerName: name }) => ({ requires: [encoderCacheKey(name)] }),
});

// 2.16
const topologyAffinity = defineUnbuilt({
  type: "topology-affinity-scorer",
  points: ["scorer"],
  stability: "alpha",
  params: z.strictObject({
    topologyProducerName: producerName(TOPOLOGY_EXTRACTOR).describe("Who tells where endpoints are."),
  }),
  data: ({ topologyProducerName }) => ({ wants: [topologyKey(topologyProducerName)] }),
});

export const UNBUILT_SCORERS = [
  multiclusterSignal("multicluster-queue-scorer", "llm-d.ai/multicluster-queue-size"),
  multiclusterSignal("multicluster-kv-cache-utilization-scorer", "llm-d.ai/multicluster-kv-cache-utilization"),
  multiclusterPrefix,
  latency,
  mmEmbeddingsCache,
  topologyAffinity,
];

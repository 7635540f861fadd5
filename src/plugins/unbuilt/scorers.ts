import { z } from "zod";
import { prefixMatchKey, tokenizedPromptKey } from "../../core/data-key.ts";
import { int, noParams, producerName } from "../params.ts";
import { TOKEN_PRODUCER } from "../producers/token-producer.ts";
import { CORE_METRICS_EXTRACTOR } from "../signals.ts";
import {
  attributeKey,
  encoderCacheKey,
  latencyKey,
  MM_EMBEDDINGS_CACHE_PRODUCER,
  PREDICTED_LATENCY_PRODUCER,
  TOPOLOGY_EXTRACTOR,
  topologyKey,
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

// 2.9
const contextLengthAware = defineUnbuilt({
  type: "context-length-aware",
  points: ["filter", "scorer"],
  params: z.strictObject({
    label: z
      .string()
      .min(1, "the name of a label")
      .default("llm-d.ai/context-length-range")
      .describe("Label with an endpoint's range of context lengths in tokens, `min-max`."),
    enableFiltering: z.boolean().default(false).describe("Drops endpoints whose range does not hold the request."),
  }),
  data: () => ({ requires: [tokenizedPromptKey(TOKEN_PRODUCER)] }),
});

const normalization = z
  .strictObject({
    fixedRange: z
      .strictObject({
        min: z.number().default(0).describe("Value that counts as 0."),
        max: z.number().default(0).describe("Value that counts as 1."),
      })
      .refine(({ min, max }) => min < max, "min below max")
      .optional()
      .describe("Values are measured by this range."),
    adaptiveRange: z.strictObject({}).optional().describe("Values are measured by the candidates' own range."),
  })
  .refine(({ fixedRange, adaptiveRange }) => !fixedRange || !adaptiveRange, "fixedRange or adaptiveRange, not both");

// 2.10
const endpointAttribute = defineUnbuilt({
  type: "endpoint-attribute-scorer",
  points: ["scorer"],
  stability: "alpha",
  params: z
    .strictObject({
      attributeKey: z.string().min(1, "the name of an attribute").describe("Attribute of endpoints that is scored."),
      producer: z.string().optional().describe('Who brings it; default core-metrics-extractor, "" for anyone.'),
      algorithm: z
        .strictObject({
          type: z.enum(["linear_lower_is_better", "linear_higher_is_better"]).describe("Which end scores 1."),
          normalization: normalization.optional().describe("How values become 0..1; default adaptiveRange."),
        })
        .describe("How a value becomes a score."),
    })
    .refine(({ attributeKey: key, producer }) => producer !== undefined || !key.includes("/"), {
      path: ["attributeKey"],
      message: 'an attribute without "/", or producer beside it: they are two parameters',
    }),
  data: ({ attributeKey: attribute, producer = CORE_METRICS_EXTRACTOR }) => ({
    wants: producer === "" ? [] : [attributeKey(attribute, producer)],
  }),
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
  contextLengthAware,
  endpointAttribute,
  latency,
  mmEmbeddingsCache,
  topologyAffinity,
];

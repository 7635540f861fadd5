import { z } from "zod";
import { prefixMatchKey } from "../../core/data-key.ts";
import { int, noParams, producerName } from "../params.ts";
import { attributeKey, encoderCacheKey, MM_EMBEDDINGS_CACHE_PRODUCER } from "./data-kinds.ts";
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

// 2.15
const mmEmbeddingsCache = defineUnbuilt({
  type: "mm-embeddings-cache-scorer",
  points: ["scorer"],
  params: z.strictObject({
    producerName: producerName(MM_EMBEDDINGS_CACHE_PRODUCER).describe("Who tells which embeddings endpoints hold."),
  }),
  data: ({ producerName: name }) => ({ requires: [encoderCacheKey(name)] }),
});

export const UNBUILT_SCORERS = [
  multiclusterSignal("multicluster-queue-scorer", "llm-d.ai/multicluster-queue-size"),
  multiclusterSignal("multicluster-kv-cache-utilization-scorer", "llm-d.ai/multicluster-kv-cache-utilization"),
  multiclusterPrefix,
  mmEmbeddingsCache,
];

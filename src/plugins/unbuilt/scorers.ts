import { z } from "zod";
import { noParams, producerName } from "../params.ts";
import { attributeKey, encoderCacheKey, MM_EMBEDDINGS_CACHE_PRODUCER } from "./data-kinds.ts";
import { defineUnbuilt } from "./define-unbuilt.ts";

const MULTICLUSTER_EXTRACTOR = "multicluster-metrics-extractor";

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
  mmEmbeddingsCache,
];

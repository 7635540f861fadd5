import { z } from "zod";
import { encoderCacheKey } from "../../core/data-key.ts";
import { defineScorer } from "../define.ts";
import { producerName } from "../params.ts";
import { MM_EMBEDDINGS_CACHE_PRODUCER } from "../producers/mm-embeddings-cache-producer.ts";

/**
 * Prefers the endpoint that has most of the request's pictures, sounds and films encoded already.
 *
 * score = matched size / size of all, in 0..1. Without media, or without data: 0.
 * Source: scheduling/scorer/mmcacheaffinity.
 */
export const mmEmbeddingsCacheScorer = defineScorer({
  type: "mm-embeddings-cache-scorer",
  example: `
plugins:
- type: mm-embeddings-cache-scorer
- type: queue-scorer
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: mm-embeddings-cache-scorer
    weight: 3
  - pluginRef: queue-scorer
`,
  params: z.strictObject({
    producerName: producerName(MM_EMBEDDINGS_CACHE_PRODUCER).describe("Who tells which embeddings endpoints hold."),
  }),
  data: ({ producerName: name }) => ({ requires: [encoderCacheKey(name)] }),
  create: ({ producerName: name }) => {
    const key = encoderCacheKey(name);
    return {
      score(request, candidates, out) {
        out.fill(0, 0, candidates.count);
        const match = request.get(key);
        if (!match || match.totalSize <= 0) return;
        const { matchedSize, totalSize } = match;
        for (let i = 0; i < candidates.count; i++) out[i] = matchedSize[candidates.rows[i]] / totalSize;
      },
    };
  },
});

import { z } from "zod";
import { prefixMatchKey } from "../../core/data-key.ts";
import { defineScorer } from "../define.ts";
import { int, producerName } from "../params.ts";

const params = z
  .strictObject({
    prefixMatchInfoProducerName: producerName("approx-prefix-cache-producer").describe(
      "Name of the producer that tells how much of the prompt each endpoint holds.",
    ),
    matchLengthWeight: z.number().min(0).max(1).default(0).describe("Share of the match's length in the score, 0..1."),
    matchLengthScaleTokens: int.default(8192).describe("Length of a match in tokens at which its length counts fully."),
  })
  .refine(({ matchLengthWeight, matchLengthScaleTokens }) => matchLengthWeight === 0 || matchLengthScaleTokens > 0, {
    path: ["matchLengthScaleTokens"],
    message: "a number above 0 when matchLengthWeight is above 0",
  });

/**
 * Prefers the endpoint that holds most of the prompt.
 *
 * ratio = matched blocks / blocks of the request, 0 when it has none. With w = matchLengthWeight > 0:
 * score = w * min(1, matched tokens / matchLengthScaleTokens)^2 + (1 - w) * ratio. Without data: 0.
 * Source: scheduling/scorer/prefix.
 */
export const prefixCacheScorer = defineScorer({
  type: "prefix-cache-scorer",
  example: `
plugins:
- type: prefix-cache-scorer
  parameters: {matchLengthWeight: 0.3}
- type: queue-scorer
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: prefix-cache-scorer
    weight: 3
  - pluginRef: queue-scorer
`,
  params,
  data: ({ prefixMatchInfoProducerName }) => ({ requires: [prefixMatchKey(prefixMatchInfoProducerName)] }),
  create: ({ prefixMatchInfoProducerName, matchLengthWeight, matchLengthScaleTokens }) => {
    const key = prefixMatchKey(prefixMatchInfoProducerName);
    return {
      score(request, candidates, out) {
        out.fill(0, 0, candidates.count);
        const match = request.get(key);
        if (!match || match.totalBlocks === 0) return;
        const { matchBlocks, totalBlocks, blockSizeTokens } = match;
        for (let i = 0; i < candidates.count; i++) {
          const blocks = matchBlocks[candidates.rows[i]];
          const ratio = blocks / totalBlocks;
          const length = Math.min(1, (blocks * blockSizeTokens) / matchLengthScaleTokens);
          out[i] =
            matchLengthWeight > 0 ? matchLengthWeight * length * length + (1 - matchLengthWeight) * ratio : ratio;
        }
      },
    };
  },
});

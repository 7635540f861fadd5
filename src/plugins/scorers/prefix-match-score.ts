import { z } from "zod";
import type { PrefixMatch } from "../../core/data-key.ts";
import { prefixMatchKey } from "../../core/data-key.ts";
import type { PluginInstance } from "../../core/plugin.ts";
import { int, producerName } from "../params.ts";

/** Parameters of the scorers of a prompt's cached prefix, which differ in whose data they read when nothing else is said. */
export const prefixMatchParams = (defaultProducer: string, holder: string) =>
  z
    .strictObject({
      prefixMatchInfoProducerName: producerName(defaultProducer).describe(
        `Name of the producer that tells how much of the prompt each ${holder} holds.`,
      ),
      matchLengthWeight: z
        .number()
        .min(0)
        .max(1)
        .default(0)
        .describe("Share of the match's length in the score, 0..1."),
      matchLengthScaleTokens: int
        .default(8192)
        .describe("Length of a match in tokens at which its length counts fully."),
    })
    .refine(({ matchLengthWeight, matchLengthScaleTokens }) => matchLengthWeight === 0 || matchLengthScaleTokens > 0, {
      path: ["matchLengthScaleTokens"],
      message: "a number above 0 when matchLengthWeight is above 0",
    });

export type PrefixMatchParams = z.infer<ReturnType<typeof prefixMatchParams>>;

/** The scorer of `prefix-cache-scorer`; its formula stands there. */
export function prefixMatchScorer(params: PrefixMatchParams): PluginInstance & Required<Pick<PluginInstance, "score">> {
  const key = prefixMatchKey(params.prefixMatchInfoProducerName);
  const { matchLengthWeight: weight, matchLengthScaleTokens: scaleTokens } = params;
  return {
    score(request, candidates, out) {
      out.fill(0, 0, candidates.count);
      const match: PrefixMatch | undefined = request.get(key);
      if (!match || match.totalBlocks === 0) return;
      const { matchBlocks, totalBlocks, blockSizeTokens } = match;
      for (let i = 0; i < candidates.count; i++) {
        const blocks = matchBlocks[candidates.rows[i]];
        const ratio = blocks / totalBlocks;
        const length = Math.min(1, (blocks * blockSizeTokens) / scaleTokens);
        out[i] = weight > 0 && blockSizeTokens > 0 ? weight * length * length + (1 - weight) * ratio : ratio;
      }
    },
  };
}

import { z } from "zod";
import { DEFAULT_PREFIX_PRODUCER, prefixMatchKey } from "../../core/data-key.ts";
import { defineDecider } from "../define.ts";
import { int } from "../params.ts";

export const PREFIX_BASED_PD_DECIDER = "prefix-based-pd-decider";

/** Bytes of a prompt that the estimate takes for a token. */
const BYTES_PER_TOKEN = 4;

const stockFields = {
  nonCachedTokens: int.min(0).default(0).describe("Tokens to compute from which prefill runs on its own; 0 = never."),
  promptTokens: int.min(0).default(0).describe("Tokens of a prompt below which it never does; 0 = no such limit."),
};

const params = z.strictObject({
  ...stockFields,
  nonCachedBytes: int
    .min(0)
    .default(0)
    .describe(
      "Bytes to compute from which prefill runs on its own, as `threshold` of older pd-profile-handlers; 0 = not looked at.",
    ),
});

const matchKey = prefixMatchKey(DEFAULT_PREFIX_PRODUCER);

/**
 * Decides that prefill runs in a pod of its own when the decode pod would have much of the prompt to compute.
 *
 * uncached = prompt tokens - blocks that the decode pod holds * block size; yes from nonCachedTokens on. No when that is
 * 0 (the decider is off), below promptTokens, without a decode pod, and where nothing is known of the pods' prefixes; a
 * prompt that was not tokenised has 0 tokens. The last block counts as a whole one.
 *
 * nonCachedBytes is ours, for configs of older releases: the same in bytes, where a token of a block has 4; with both,
 * both have to be reached. Prefixes are those of the producer named approx-prefix-cache-producer, as stock.
 * Source: scheduling/profilehandler/disagg, prefix_based_pd_decider.
 */
export const prefixBasedPdDecider = defineDecider({
  type: PREFIX_BASED_PD_DECIDER,
  params,
  stockParams: z.strictObject(stockFields),
  example: `
plugins:
- type: decode-filter
- type: prefill-filter
- type: prefix-cache-scorer
- type: prefix-based-pd-decider
  parameters: { nonCachedTokens: 512 }
- type: disagg-profile-handler
  parameters:
    deciders: { prefill: prefix-based-pd-decider }
schedulingProfiles:
- name: decode
  plugins:
  - pluginRef: decode-filter
  - pluginRef: prefix-cache-scorer
- name: prefill
  plugins:
  - pluginRef: prefill-filter
`,
  create: ({ nonCachedTokens, promptTokens, nonCachedBytes }) => ({
    decide(request, row) {
      if (row < 0 || (nonCachedTokens === 0 && nonCachedBytes === 0)) return false;
      const tokens = Math.max(0, request.facts.inputTokens);
      if (tokens < promptTokens) return false;
      const match = request.get(matchKey);
      if (!match) return false;
      const cachedTokens = match.matchBlocks[row] * match.blockSizeTokens;
      const bytes = request.facts.promptBytes ?? tokens * BYTES_PER_TOKEN;
      return tokens - cachedTokens >= nonCachedTokens && bytes - cachedTokens * BYTES_PER_TOKEN >= nonCachedBytes;
    },
  }),
});

import { z } from "zod";
import { inflightLoadKey, uncachedTokensKey } from "../../core/data-key.ts";
import { defineScorer } from "../define.ts";
import { int, producerName } from "../params.ts";
import { INFLIGHT_LOAD_PRODUCER, InflightColumns } from "../producers/inflight-columns.ts";

const QUEUE_THRESHOLD_TOKENS = 4_194_304;

const params = z.strictObject({
  queueThresholdTokens: int
    .default(QUEUE_THRESHOLD_TOKENS)
    .transform((tokens) => (tokens > 0 ? tokens : QUEUE_THRESHOLD_TOKENS))
    .describe("Tokens in flight at which the score is 0; 0 and below mean the default."),
  inFlightLoadProducerName: producerName(INFLIGHT_LOAD_PRODUCER).describe("Name of the producer that counts tokens."),
});

/**
 * Prefers the endpoints with the fewest tokens to compute: those in flight from this picker and those that this request
 * would add. The producer has to be declared: nothing makes it by itself.
 *
 * t = tokens in flight + uncached tokens of the request; score = 1 - min(t, threshold) / threshold. Missing data
 * counts as 0. Source: scheduling/scorer/tokenload.
 */
export const tokenLoadScorer = defineScorer({
  type: "token-load-scorer",
  example: `
plugins:
- type: token-load-scorer
  parameters: {queueThresholdTokens: 1000000}
- type: inflight-load-producer
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: token-load-scorer
    weight: 2
`,
  params,
  data: ({ inFlightLoadProducerName }) => ({
    requires: [inflightLoadKey(inFlightLoadProducerName), uncachedTokensKey(inFlightLoadProducerName)],
  }),
  create: ({ queueThresholdTokens, inFlightLoadProducerName }, { endpoints }) => {
    const load = new InflightColumns(endpoints, inFlightLoadProducerName);
    const key = uncachedTokensKey(inFlightLoadProducerName);
    return {
      score(request, candidates, out) {
        const uncached = request.get(key)?.tokens;
        for (let i = 0; i < candidates.count; i++) {
          const tokens = load.tokens(candidates.slots[i]) + (uncached?.[candidates.rows[i]] ?? 0);
          out[i] = 1 - Math.min(Math.max(0, tokens), queueThresholdTokens) / queueThresholdTokens;
        }
      },
    };
  },
});

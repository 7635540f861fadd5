import { prefixMatchKey } from "../../core/data-key.ts";
import { defineScorer } from "../define.ts";
import { MULTICLUSTER_PREFIX_PRODUCER } from "../producers/multicluster-approx-prefix-cache-producer.ts";
import { prefixMatchParams, prefixMatchScorer } from "./prefix-match-score.ts";

/**
 * Prefers the cluster that holds most of the prompt: `prefix-cache-scorer` over the data of
 * `multicluster-approx-prefix-cache-producer`, which has to be declared.
 *
 * Formula as there: ratio = matched blocks / blocks of the request; with w = matchLengthWeight > 0:
 * score = w * min(1, matched tokens / matchLengthScaleTokens)^2 + (1 - w) * ratio. Without data: 0.
 * Source: scheduling/scorer/prefix.
 */
export const multiclusterPrefixCacheScorer = defineScorer({
  type: "multicluster-prefix-cache-scorer",
  stability: "alpha",
  example: `
plugins:
- type: multicluster-approx-prefix-cache-producer
- type: multicluster-prefix-cache-scorer
  parameters: {matchLengthWeight: 0.3}
`,
  params: prefixMatchParams(MULTICLUSTER_PREFIX_PRODUCER, "cluster"),
  data: ({ prefixMatchInfoProducerName }) => ({ requires: [prefixMatchKey(prefixMatchInfoProducerName)] }),
  create: prefixMatchScorer,
});

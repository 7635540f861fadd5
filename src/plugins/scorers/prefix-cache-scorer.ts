import { DEFAULT_PREFIX_PRODUCER, prefixMatchKey } from "../../core/data-key.ts";
import { defineScorer } from "../define.ts";
import { prefixMatchParams, prefixMatchScorer } from "./prefix-match-score.ts";

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
  params: prefixMatchParams(DEFAULT_PREFIX_PRODUCER, "endpoint"),
  data: ({ prefixMatchInfoProducerName }) => ({ requires: [prefixMatchKey(prefixMatchInfoProducerName)] }),
  create: prefixMatchScorer,
});

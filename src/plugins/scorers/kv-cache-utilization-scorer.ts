import { defineScorer } from "../define.ts";
import { noParams } from "../params.ts";
import { signalKey } from "../signals.ts";

/**
 * Prefers free KV cache: score = 1 - KV cache use (0..1). A use never seen counts as 0, so as a score of 1; a stale
 * one counts as it was. Source: scheduling/scorer/kvcacheutilization.
 */
export const kvCacheUtilizationScorer = defineScorer({
  type: "kv-cache-utilization-scorer",
  aliases: ["kv-cache-scorer"],
  params: noParams,
  ignoresParams: true,
  data: () => ({ requires: [signalKey("KVCacheUsagePercent")] }),
  create: (_params, { endpoints }) => ({
    score(_request, candidates, out) {
      for (let i = 0; i < candidates.count; i++) out[i] = 1 - endpoints.kvUsage[candidates.slots[i]];
    },
  }),
});

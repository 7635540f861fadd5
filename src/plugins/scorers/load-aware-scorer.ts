import { z } from "zod";
import { defineScorer } from "../define.ts";
import { int } from "../params.ts";
import { signalKey } from "../signals.ts";

const THRESHOLD = 128;
const SCORE_MAX = 0.5;

const params = z.strictObject({
  threshold: int
    .default(THRESHOLD)
    .transform((threshold) => (threshold > 0 ? threshold : THRESHOLD))
    .describe("Waiting requests at which the score is 0; 0 and below mean the default."),
});

/**
 * Prefers short waiting queues, each by itself: what the other candidates have changes nothing.
 *
 * score = 0.5 * (1 - min(waiting, threshold) / threshold), 0..0.5. A queue never seen counts as 0.
 * Source: scheduling/scorer/loadaware.
 */
export const loadAwareScorer = defineScorer({
  type: "load-aware-scorer",
  example: `
plugins:
- type: load-aware-scorer
  parameters: {threshold: 64}
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: load-aware-scorer
    weight: 2
`,
  params,
  data: () => ({ requires: [signalKey("WaitingQueueSize")] }),
  create: ({ threshold }, { endpoints }) => ({
    score(_request, { count, slots }, out) {
      for (let i = 0; i < count; i++) {
        out[i] = SCORE_MAX * (1 - Math.min(endpoints.waiting[slots[i]], threshold) / threshold);
      }
    },
  }),
});

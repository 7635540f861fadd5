import { defineScorer } from "../define.ts";
import { noParams } from "../params.ts";
import { signalKey } from "../signals.ts";
import { lowerIsBetter } from "./lower-is-better.ts";

/**
 * Prefers the shortest waiting queue: 1 for the shortest, 0 for the longest, linear between; 1 for all when equal.
 *
 * score = (max - waiting) / (max - min) over the candidates. A queue never seen counts as 0, a stale one as it was.
 * Source: scheduling/scorer/queuedepth.
 */
export const queueScorer = defineScorer({
  type: "queue-scorer",
  params: noParams,
  ignoresParams: true,
  data: () => ({ requires: [signalKey("WaitingQueueSize")] }),
  create: (_params, { endpoints }) => ({
    score: (_request, candidates, out) => lowerIsBetter(endpoints.waiting, candidates, out),
  }),
});

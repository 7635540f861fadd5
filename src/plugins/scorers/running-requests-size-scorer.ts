import { defineScorer } from "../define.ts";
import { noParams } from "../params.ts";
import { signalKey } from "../signals.ts";
import { lowerIsBetter } from "./lower-is-better.ts";

/**
 * Prefers the fewest running requests: 1 for the fewest, 0 for the most, linear between; 1 for all when equal.
 *
 * score = (max - running) / (max - min) over the candidates. A number never seen counts as 0, a stale one as it was.
 * Source: scheduling/scorer/runningrequests.
 */
export const runningRequestsSizeScorer = defineScorer({
  type: "running-requests-size-scorer",
  params: noParams,
  ignoresParams: true,
  data: () => ({ requires: [signalKey("RunningRequestsSize")] }),
  create: (_params, { endpoints }) => ({
    score: (_request, candidates, out) => lowerIsBetter(endpoints.running, candidates, out),
  }),
});

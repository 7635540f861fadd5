import { z } from "zod";
import { latencyPredictionKey } from "../../core/data-key.ts";
import { draw, drawName } from "../../core/draw.ts";
import { defineFilter } from "../define.ts";
import { hasHeadroom, PREDICTED_LATENCY_PRODUCER } from "../latency-prediction.ts";
import { producerName } from "../params.ts";
import { keepAll } from "./keep-all.ts";

const params = z.strictObject({
  epsilonExploreNeg: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe("Share of requests that go to endpoints predicted to be too slow."),
  latencyPredictionInfoProducerName: producerName(PREDICTED_LATENCY_PRODUCER).describe("Who predicts."),
});

/**
 * Keeps the endpoints that are predicted to meet the request's latency objectives (neither headroom below 0), when there
 * are some. A share epsilonExploreNeg of the requests goes to the others instead, so that these are seen to recover; an
 * endpoint without a prediction is one of them. A single candidate, and a request without any prediction, pass by.
 * Source: scheduling/filter/sloheadroomtier.
 */
export const sloHeadroomTierFilter = defineFilter({
  type: "slo-headroom-tier-filter",
  example: `
plugins:
- type: predicted-latency-producer
- type: slo-headroom-tier-filter
  parameters: {epsilonExploreNeg: 0.05}
- type: latency-scorer
`,
  params,
  data: ({ latencyPredictionInfoProducerName }) => ({
    requires: [latencyPredictionKey(latencyPredictionInfoProducerName)],
  }),
  create: ({ epsilonExploreNeg, latencyPredictionInfoProducerName }, { name, seed }) => {
    const key = latencyPredictionKey(latencyPredictionInfoProducerName);
    const consumer = drawName(name);
    return {
      filter(request, { count, rows }, keep) {
        const prediction = request.get(key);
        let good = 0;
        for (let i = 0; i < count; i++) if (hasHeadroom(prediction, rows[i])) good++;
        // Without a prediction none is good, and all of one kind are all.
        if (good === 0 || good === count) return keepAll(count, keep);
        const wantsGood = draw(seed, request.facts.key, 0, consumer, consumer) >= epsilonExploreNeg;
        let kept = 0;
        for (let i = 0; i < count; i++) if (hasHeadroom(prediction, rows[i]) === wantsGood) keep[kept++] = i;
        return kept;
      },
    };
  },
});

import { z } from "zod";
import { latencyPredictionKey } from "../../core/data-key.ts";
import { defineAdmitter } from "../define.ts";
import { hasSlo, PREDICTED_LATENCY_PRODUCER, SLO_HEADERS } from "../latency-prediction.ts";
import { producerName } from "../params.ts";

/** KV cache use below which an endpoint is cold, and predictions about it are guesses. */
const COLD_KV_USAGE = 0.02;
const REASON = "no valid endpoint available to serve the request";

const params = z.strictObject({
  latencyPredictionInfoProducerName: producerName(PREDICTED_LATENCY_PRODUCER).describe("Who predicts."),
});

/**
 * Refuses a sheddable request (priority below 0) that has a latency objective which no endpoint is predicted to meet.
 *
 * It is let in when any candidate has a valid prediction for both objectives, has no running request, or uses less than
 * 2% of its KV cache, and when nothing is predicted. A signal never seen counts as 0. Objectives: the headers
 * x-llm-d-slo-ttft-ms and x-llm-d-slo-tpot-ms, or x-slo-ttft-ms and x-slo-tpot-ms; one that is no number counts as none.
 * Source: requestcontrol/admitter/latencyslo.
 */
export const latencySloAdmitter = defineAdmitter({
  type: "latency-slo-admitter",
  example: `
plugins:
- type: predicted-latency-producer
- type: latency-slo-admitter
- type: latency-scorer
`,
  params,
  headerNames: () => SLO_HEADERS,
  data: ({ latencyPredictionInfoProducerName }) => ({
    requires: [latencyPredictionKey(latencyPredictionInfoProducerName)],
  }),
  create: ({ latencyPredictionInfoProducerName }, { endpoints }) => {
    const key = latencyPredictionKey(latencyPredictionInfoProducerName);
    return {
      deny(request, { count, rows, slots }) {
        if (request.priority >= 0 || !hasSlo(request)) return undefined;
        const prediction = request.get(key);
        let isAnyPredicted = false;
        for (let i = 0; i < count; i++) {
          if (endpoints.running[slots[i]] === 0 || endpoints.kvUsage[slots[i]] < COLD_KV_USAGE) return undefined;
          if (prediction?.isPredicted[rows[i]] !== 1) continue;
          isAnyPredicted = true;
          if (prediction.isTtftValid[rows[i]] === 1 && prediction.isTpotValid[rows[i]] === 1) return undefined;
        }
        return isAnyPredicted ? REASON : undefined;
      },
    };
  },
});

import { z } from "zod";
import { inflightLoadKey } from "../../core/data-key.ts";
import { defineScorer } from "../define.ts";
import { int, producerName } from "../params.ts";
import { INFLIGHT_LOAD_PRODUCER, InflightColumns } from "../producers/inflight-columns.ts";

const params = z.strictObject({
  requestTimeout: z.string().optional().describe("Ignored; older releases forgot a request after it."),
  idleThreshold: int
    .default(0)
    .transform((threshold) => Math.max(0, threshold))
    .describe("Up to this many requests an endpoint counts as idle. Below 0 means 0."),
  maxBusyScore: z
    .number()
    .default(1)
    .transform((score) => (score >= 0 && score <= 1 ? score : 1))
    .describe("Best score of an endpoint that is not idle, 0..1; another number means 1."),
  inFlightLoadProducerName: producerName(INFLIGHT_LOAD_PRODUCER).describe("Name of the producer that counts requests."),
});

/**
 * Prefers the endpoints with the fewest requests in flight from this picker.
 *
 * 1 when requests <= idleThreshold; else (max - requests) / max * maxBusyScore, max over the candidates. An endpoint
 * that got no request counts as 0. Source: scheduling/scorer/activerequest.
 */
export const activeRequestScorer = defineScorer({
  type: "active-request-scorer",
  example: `
plugins:
- type: active-request-scorer
  parameters: {idleThreshold: 2}
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: active-request-scorer
    weight: 2
`,
  params,
  warnings: ({ requestTimeout }) => (requestTimeout === undefined ? [] : ["requestTimeout is old and has no effect"]),
  data: ({ inFlightLoadProducerName }) => ({ requires: [inflightLoadKey(inFlightLoadProducerName)] }),
  create: ({ idleThreshold, maxBusyScore, inFlightLoadProducerName }, { endpoints }) => {
    const load = new InflightColumns(endpoints, inFlightLoadProducerName);
    return {
      score(_request, candidates, out) {
        const { count, slots } = candidates;
        let max = 0;
        for (let i = 0; i < count; i++) max = Math.max(max, load.requests(slots[i]));
        for (let i = 0; i < count; i++) {
          const requests = load.requests(slots[i]);
          out[i] = requests <= idleThreshold ? 1 : ((max - requests) / max) * maxBusyScore;
        }
      },
    };
  },
});

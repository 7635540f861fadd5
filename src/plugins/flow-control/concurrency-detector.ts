import { z } from "zod";
import { inflightLoadKey } from "../../core/data-key.ts";
import { defineSaturationDetector } from "../define.ts";
import { keepWhere } from "../filters/keep-where.ts";
import { int, producerName } from "../params.ts";
import { INFLIGHT_LOAD_PRODUCER, InflightColumns } from "../producers/inflight-columns.ts";

const params = z.strictObject({
  maxConcurrency: int.min(1).default(100).describe("Requests in flight at which an endpoint is full."),
  headroom: z.number().min(0).default(0).describe("Share by which an endpoint may be over it as a filter."),
  concurrencyMode: z.enum(["requests", "tokens", "hybrid"]).default("requests").describe("What is counted."),
  maxTokenConcurrency: int.min(1).default(1_000_000).describe("Tokens in flight at which an endpoint is full."),
  inFlightLoadProducerName: producerName(INFLIGHT_LOAD_PRODUCER).describe("Who counts."),
});

/**
 * Tells how full endpoints are from what this picker has in flight on them.
 *
 * Saturation: load / capacity over all endpoints, by requests or by tokens; hybrid: mean over the endpoints of the
 * greater of the two; 1 when there is no endpoint. Filter: keeps endpoints with a load below
 * floor(capacity * (1 + headroom)), of both kinds when hybrid; that may be none.
 * Source: flowcontrol/saturationdetector/concurrency.
 */
export const concurrencyDetector = defineSaturationDetector({
  type: "concurrency-detector",
  example: `
plugins:
- type: concurrency-detector
  parameters: {maxConcurrency: 64}
- type: queue-scorer
`,
  params,
  data: ({ inFlightLoadProducerName }) => ({ requires: [inflightLoadKey(inFlightLoadProducerName)] }),
  create: (parsed, { endpoints }) => {
    const { maxConcurrency, maxTokenConcurrency, headroom, concurrencyMode } = parsed;
    const load = new InflightColumns(endpoints, parsed.inFlightLoadProducerName);
    const requestsMax = Math.floor(maxConcurrency * (1 + headroom));
    const tokensMax = Math.floor(maxTokenConcurrency * (1 + headroom));
    const fullness = (slot: number): number => {
      const byRequests = load.requests(slot) / maxConcurrency;
      const byTokens = load.tokens(slot) / maxTokenConcurrency;
      if (concurrencyMode === "hybrid") return Math.max(byRequests, byTokens);
      return concurrencyMode === "tokens" ? byTokens : byRequests;
    };
    return {
      saturation(slots) {
        if (slots.length === 0) return 1;
        let sum = 0;
        for (const slot of slots) sum += fullness(slot);
        return sum / slots.length;
      },
      filter: (_request, candidates, keep) =>
        keepWhere(
          candidates,
          keep,
          (slot) =>
            (concurrencyMode === "tokens" || load.requests(slot) < requestsMax) &&
            (concurrencyMode === "requests" || load.tokens(slot) < tokensMax),
        ),
    };
  },
});

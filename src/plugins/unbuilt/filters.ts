import { z } from "zod";
import { topologyKey } from "../../core/data-key.ts";
import { TOPOLOGY_EXTRACTOR } from "../data-layer/topology-extractor.ts";
import { producerName, wordOrFirst } from "../params.ts";
import { latencyKey, PREDICTED_LATENCY_PRODUCER } from "./data-kinds.ts";
import { defineUnbuilt } from "./define-unbuilt.ts";

// 3.7
const sloHeadroomTier = defineUnbuilt({
  type: "slo-headroom-tier-filter",
  points: ["filter"],
  params: z.strictObject({
    epsilonExploreNeg: z
      .number()
      .min(0)
      .max(1)
      .default(0.01)
      .describe("Share of requests that go to endpoints predicted to be too slow."),
    latencyPredictionInfoProducerName: producerName(PREDICTED_LATENCY_PRODUCER).describe("Who predicts."),
  }),
  data: ({ latencyPredictionInfoProducerName }) => ({ requires: [latencyKey(latencyPredictionInfoProducerName)] }),
});

// 3.8
const topologyAffinity = defineUnbuilt({
  type: "topology-affinity-filter",
  points: ["filter"],
  stability: "alpha",
  params: z.strictObject({
    minAffinity: wordOrFirst("host", "rack", "zone", "region").describe("How near to its peer an endpoint must be."),
    topologyProducerName: producerName(TOPOLOGY_EXTRACTOR).describe("Who tells where endpoints are."),
  }),
  data: ({ topologyProducerName }) => ({ wants: [topologyKey(topologyProducerName)] }),
});

export const UNBUILT_FILTERS = [sloHeadroomTier, topologyAffinity];

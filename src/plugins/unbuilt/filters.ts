import { z } from "zod";
import { topologyKey } from "../../core/data-key.ts";
import { TOPOLOGY_EXTRACTOR } from "../data-layer/topology-extractor.ts";
import { producerName, wordOrFirst } from "../params.ts";
import { defineUnbuilt } from "./define-unbuilt.ts";

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

export const UNBUILT_FILTERS = [topologyAffinity];

import { z } from "zod";
import { inflightLoadKey, prefixMatchKey } from "../../core/data-key.ts";
import { noParams, producerName } from "../params.ts";
import { INFLIGHT_LOAD_PRODUCER } from "../producers/inflight-columns.ts";
import { CORE_METRICS_EXTRACTOR } from "../signals.ts";
import { attributeKey, latencyKey, PREDICTED_LATENCY_PRODUCER, TOPOLOGY_EXTRACTOR, topologyKey } from "./data-kinds.ts";
import { defineUnbuilt } from "./define-unbuilt.ts";
import { share, wordOrFirst } from "./shared-params.ts";

const threshold = z.strictObject({
  operator: z
    .enum(["LessThan", "LessThanOrEqual", "GreaterThan", "GreaterThanOrEqual", "Equal", "NotEqual"])
    .describe("How an endpoint that stays compares with the value."),
  value: z.number().default(0).describe("What the attribute is compared with."),
});

// 3.4
const endpointAttribute = defineUnbuilt({
  type: "endpoint-attribute-filter",
  points: ["filter"],
  stability: "alpha",
  params: z
    .strictObject({
      attribute: z.string().min(1, "the name of an attribute").describe("Attribute of endpoints that is looked at."),
      producer: z.string().optional().describe('Who brings it; default core-metrics-extractor, "" for anyone.'),
      onMissing: wordOrFirst("Pass", "Fail").describe("Whether an endpoint without the attribute stays."),
      fallbackOnEmpty: z.boolean().default(false).describe("Keeps all endpoints when none would stay."),
      algorithm: z
        .strictObject({
          type: z.literal("threshold").describe("The only algorithm."),
          threshold: threshold.describe("The comparison."),
        })
        .describe("Which endpoints stay."),
    })
    .refine(({ attribute, producer }) => producer !== undefined || !attribute.includes("/"), {
      path: ["attribute"],
      message: 'an attribute without "/", or producer beside it: they are two parameters',
    }),
  data: ({ attribute, producer = CORE_METRICS_EXTRACTOR }) => ({
    wants: producer === "" ? [] : [attributeKey(attribute, producer)],
  }),
});

const condition = z
  .strictObject({
    metric: z
      .enum(["active-requests", "running-requests", "waiting-queue", "kv-cache-utilization"])
      .describe("Which signal."),
    maxValue: z.number().min(0).describe("Greatest value of an endpoint that stays."),
  })
  .refine(({ metric, maxValue }) => metric !== "kv-cache-utilization" || maxValue <= 1, {
    path: ["maxValue"],
    message: "a share from 0 to 1, as the metric is kv-cache-utilization",
  });

// 3.5
const utilization = defineUnbuilt({
  type: "utilization-filter",
  points: ["filter"],
  stability: "alpha",
  params: z.strictObject({
    conditions: z.array(condition).min(1).describe("All of them hold for an endpoint that stays."),
    fallbackOnEmpty: z.boolean().default(false).describe("Keeps all endpoints when none would stay."),
    inFlightLoadProducerName: producerName(INFLIGHT_LOAD_PRODUCER).describe("Who counts active requests."),
  }),
  data: ({ conditions, inFlightLoadProducerName }) => ({
    requires: conditions.some(({ metric }) => metric === "active-requests")
      ? [inflightLoadKey(inFlightLoadProducerName)]
      : [],
  }),
});

// 3.6
const prefixCacheAffinity = defineUnbuilt({
  type: "prefix-cache-affinity-filter",
  points: ["filter"],
  params: z
    .strictObject({
      affinityThreshold: z.number().max(1).default(0.8).describe("Cached share of an endpoint that holds the prompt."),
      explorationProbability: share.default(0).describe("Share of requests that pass by the filter."),
      maxTTFTPenaltyMs: z.number().min(0).default(18_000).describe("Later first token that it is worth; 0 = any."),
      ttftSource: z
        .enum(["prefillThroughput", "latencyPredictor"])
        .default("prefillThroughput")
        .describe("Who tells it."),
      peakPrefillThroughput: z
        .number()
        .default(15_928)
        .describe("Prompt tokens that an endpoint computes in a second."),
      prefixMatchInfoProducerName: producerName("approx-prefix-cache-producer").describe("Who tells of prefixes."),
      latencyPredictionInfoProducerName: producerName(PREDICTED_LATENCY_PRODUCER).describe("Who predicts."),
      inFlightLoadProducerName: producerName(INFLIGHT_LOAD_PRODUCER).describe("Who counts tokens in flight."),
    })
    .refine(
      ({ ttftSource, maxTTFTPenaltyMs, peakPrefillThroughput }) =>
        ttftSource !== "prefillThroughput" || maxTTFTPenaltyMs === 0 || peakPrefillThroughput > 0,
      { path: ["peakPrefillThroughput"], message: "a number above 0, as ttftSource needs it" },
    ),
  data: ({ maxTTFTPenaltyMs, ttftSource, ...names }) => {
    const predicts = ttftSource === "latencyPredictor";
    const load = predicts
      ? latencyKey(names.latencyPredictionInfoProducerName)
      : inflightLoadKey(names.inFlightLoadProducerName);
    return { requires: [prefixMatchKey(names.prefixMatchInfoProducerName), ...(maxTTFTPenaltyMs > 0 ? [load] : [])] };
  },
});

// 3.7
const sloHeadroomTier = defineUnbuilt({
  type: "slo-headroom-tier-filter",
  points: ["filter"],
  params: z.strictObject({
    epsilonExploreNeg: share.default(0.01).describe("Share of requests that go to endpoints predicted to be too slow."),
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

// 3.9: of the Gateway API's conformance tests.
const headerBasedTesting = defineUnbuilt({
  type: "header-based-testing-filter",
  points: ["filter"],
  params: noParams,
  ignoresParams: true,
  headerNames: () => ["test-epp-endpoint-selection"],
});

export const UNBUILT_FILTERS = [
  endpointAttribute,
  utilization,
  prefixCacheAffinity,
  sloHeadroomTier,
  topologyAffinity,
  headerBasedTesting,
];

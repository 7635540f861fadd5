import { z } from "zod";
import {
  DEFAULT_PREFIX_PRODUCER,
  encoderCacheKey,
  inflightLoadKey,
  latencyPredictionKey,
  prefixMatchKey,
} from "../../core/data-key.ts";
import { PREDICTED_LATENCY_PRODUCER } from "../latency-prediction.ts";
import { int, producerName } from "../params.ts";
import { INFLIGHT_LOAD_PRODUCER } from "../producers/inflight-columns.ts";
import { MM_EMBEDDINGS_CACHE_PRODUCER } from "../producers/mm-embeddings-cache-producer.ts";
import { defineUnbuilt } from "./define-unbuilt.ts";

const FIVE_MINUTES_NS = 300_000_000_000;

// 6.10
const predictedLatency = defineUnbuilt({
  type: PREDICTED_LATENCY_PRODUCER,
  points: ["producer", "requestControl"],
  params: z.strictObject({
    samplingMean: z.number().default(1000).describe("Ignored; of older releases."),
    maxDecodeTokenSamplesForPrediction: int.default(0).describe("Ignored; of older releases."),
    sloBufferFactor: z.number().gt(0).default(1).describe("Share of the time for a token that is planned with."),
    contextTTL: int.default(FIVE_MINUTES_NS).describe("Nanoseconds that a request is remembered."),
    streamingMode: z.boolean().default(false).describe("Learns from the first chunk, not from the end."),
    endpointRoleLabel: z.string().default("").describe("Label with the role of endpoints."),
    predictInProduce: z.boolean().default(true).describe("Predicts before scheduling."),
    prefixMatchInfoProducerName: producerName(DEFAULT_PREFIX_PRODUCER).describe("Who tells of cached prefixes."),
    inFlightLoadProducerName: producerName(INFLIGHT_LOAD_PRODUCER).describe("Who counts tokens in flight."),
    useEncoderCacheFeatures: z.boolean().default(false).describe("Predicts by cached embeddings, too."),
    encoderCacheMatchInfoProducerName: producerName(MM_EMBEDDINGS_CACHE_PRODUCER).describe("Who tells of them."),
  }),
  headerNames: () => ["x-llm-d-slo-ttft-ms", "x-llm-d-slo-tpot-ms", "x-slo-ttft-ms", "x-slo-tpot-ms"],
  data: (params, name) => ({
    requires: [
      prefixMatchKey(params.prefixMatchInfoProducerName),
      inflightLoadKey(params.inFlightLoadProducerName),
      ...(params.useEncoderCacheFeatures ? [encoderCacheKey(params.encoderCacheMatchInfoProducerName)] : []),
    ],
    produces: [latencyPredictionKey(name)],
  }),
});

export const UNBUILT_PRODUCERS = [predictedLatency];

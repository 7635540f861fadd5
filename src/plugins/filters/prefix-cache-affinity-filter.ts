import { z } from "zod";
import type { LatencyPrediction, PrefixMatch } from "../../core/data-key.ts";
import { DEFAULT_PREFIX_PRODUCER, inflightLoadKey, latencyPredictionKey, prefixMatchKey } from "../../core/data-key.ts";
import { draw, drawName } from "../../core/draw.ts";
import { defineFilter } from "../define.ts";
import { PREDICTED_LATENCY_PRODUCER } from "../latency-prediction.ts";
import { producerName } from "../params.ts";
import { INFLIGHT_LOAD_PRODUCER, InflightColumns } from "../producers/inflight-columns.ts";
import { keepAll } from "./keep-all.ts";

const LATENCY_PREDICTOR = "latencyPredictor";
const MS_PER_SECOND = 1000;

const params = z
  .strictObject({
    affinityThreshold: z.number().max(1).default(0.8).describe("Cached share of an endpoint that holds the prompt."),
    explorationProbability: z.number().min(0).max(1).default(0).describe("Share of requests that pass by the filter."),
    maxTTFTPenaltyMs: z.number().min(0).default(18_000).describe("Later first token that it is worth; 0 = any."),
    ttftSource: z.enum(["prefillThroughput", LATENCY_PREDICTOR]).default("prefillThroughput").describe("Who tells it."),
    peakPrefillThroughput: z.number().default(15_928).describe("Prompt tokens that an endpoint computes in a second."),
    prefixMatchInfoProducerName: producerName(DEFAULT_PREFIX_PRODUCER).describe("Who tells of prefixes."),
    latencyPredictionInfoProducerName: producerName(PREDICTED_LATENCY_PRODUCER).describe("Who predicts."),
    inFlightLoadProducerName: producerName(INFLIGHT_LOAD_PRODUCER).describe("Who counts tokens in flight."),
  })
  .refine(
    ({ ttftSource, maxTTFTPenaltyMs, peakPrefillThroughput }) =>
      ttftSource === LATENCY_PREDICTOR || maxTTFTPenaltyMs === 0 || peakPrefillThroughput > 0,
    { path: ["peakPrefillThroughput"], message: "a number above 0, as ttftSource needs it" },
  );

/**
 * Keeps the endpoints that hold most of the prompt (matched blocks / blocks >= affinityThreshold), when there are some,
 * unless the best of them would answer later than the best other one by more than maxTTFTPenaltyMs. The time to the
 * first token is estimated, tokens in flight / peakPrefillThroughput * 1000, or predicted (latencyPredictor), where an
 * endpoint without a prediction counts as the latest of all. A threshold of 0 or below, a single candidate and a share
 * explorationProbability of requests pass by. Source: scheduling/filter/prefixcacheaffinity.
 */
export const prefixCacheAffinityFilter = defineFilter({
  type: "prefix-cache-affinity-filter",
  example: `
plugins:
- type: prefix-cache-affinity-filter
  parameters: {affinityThreshold: 0.7, maxTTFTPenaltyMs: 5000}
- type: queue-scorer
`,
  params,
  data: ({ maxTTFTPenaltyMs, ttftSource, ...names }) => {
    const load =
      ttftSource === LATENCY_PREDICTOR
        ? latencyPredictionKey(names.latencyPredictionInfoProducerName)
        : inflightLoadKey(names.inFlightLoadProducerName);
    return { requires: [prefixMatchKey(names.prefixMatchInfoProducerName), ...(maxTTFTPenaltyMs > 0 ? [load] : [])] };
  },
  create: (parsed, { name, seed, endpoints }) => {
    const { affinityThreshold, explorationProbability, maxTTFTPenaltyMs, peakPrefillThroughput } = parsed;
    const matchKey = prefixMatchKey(parsed.prefixMatchInfoProducerName);
    const load = new InflightColumns(endpoints, parsed.inFlightLoadProducerName);
    const consumer = drawName(name);
    const predictionKey = latencyPredictionKey(parsed.latencyPredictionInfoProducerName);
    const predicts = parsed.ttftSource === LATENCY_PREDICTOR;
    return {
      filter(request, { count, rows, slots }, keep) {
        if (count <= 1 || affinityThreshold <= 0) return keepAll(count, keep);
        const explores =
          explorationProbability > 0 && draw(seed, request.facts.key, 0, consumer, consumer) < explorationProbability;
        if (explores) return keepAll(count, keep);
        const match = request.get(matchKey);
        const prediction = predicts ? request.get(predictionKey) : undefined;
        let kept = 0;
        let stickyMs = Number.POSITIVE_INFINITY;
        let otherMs = Number.POSITIVE_INFINITY;
        for (let i = 0; i < count; i++) {
          const ms = predicts
            ? predictedTtftMs(prediction, rows[i])
            : (load.tokens(slots[i]) / peakPrefillThroughput) * MS_PER_SECOND;
          if (cachedShare(match, rows[i]) >= affinityThreshold) {
            keep[kept++] = i;
            if (ms < stickyMs) stickyMs = ms;
          } else {
            if (ms < otherMs) otherMs = ms;
          }
        }
        const isLate = maxTTFTPenaltyMs > 0 && kept < count && stickyMs - otherMs > maxTTFTPenaltyMs;
        return kept === 0 || isLate ? keepAll(count, keep) : kept;
      },
    };
  },
});

const predictedTtftMs = (prediction: LatencyPrediction | undefined, row: number): number =>
  prediction?.isPredicted[row] === 1 ? prediction.ttftMs[row] : Number.POSITIVE_INFINITY;

function cachedShare(match: PrefixMatch | undefined, row: number): number {
  return match && match.totalBlocks > 0 ? match.matchBlocks[row] / match.totalBlocks : 0;
}

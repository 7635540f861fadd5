import { z } from "zod";
import type { Candidates } from "../../core/candidates.ts";
import type { LatencyPrediction, PrefixMatch } from "../../core/data-key.ts";
import { DEFAULT_PREFIX_PRODUCER, latencyPredictionKey, prefixMatchKey } from "../../core/data-key.ts";
import type { Endpoints } from "../../core/endpoints.ts";
import { defineScorer } from "../define.ts";
import { PREDICTED_LATENCY_PRODUCER } from "../latency-prediction.ts";
import { producerName } from "../params.ts";

/** Scores are whole hundredths. */
const STEPS = 100;
/** Headrooms that differ by less are equal. */
const RANGE_MIN_MS = 1e-9;
const UNDECIDED = 0.5;

const weight = (fallback: number, what: string) => z.number().default(fallback).describe(`Weight of ${what}.`);

const params = z.strictObject({
  ttftWeight: weight(0.8, "the time to the first token"),
  tpotWeight: weight(0.2, "the time for each further token"),
  headroomSelectionStrategy: z.string().default("least").describe("least or most headroom first; others mean least."),
  compositeKVWeight: weight(1, "free KV cache, where nothing is predicted"),
  compositeQueueWeight: weight(1, "short queues, where nothing is predicted"),
  compositePrefixWeight: weight(1, "the cached prefix, where nothing is predicted"),
  latencyPredictionInfoProducerName: producerName(PREDICTED_LATENCY_PRODUCER).describe("Who predicts."),
  prefixMatchInfoProducerName: producerName(DEFAULT_PREFIX_PRODUCER).describe("Who tells of cached prefixes."),
});

/**
 * Prefers endpoints by how much of the request's latency objectives their predicted latencies leave (headroom =
 * objective - prediction), the tightest fit first unless `most` is asked for.
 *
 * Only the best group scores, all others 0: endpoints without a negative headroom or without a prediction; else those
 * that the predictor knows idle; else those that miss the objective of further tokens alone; of the first token alone;
 * of both. Within the group n = (|headroom| - min) / (max - min) for each of the two, 0.5 where all are equal, and then
 * only the other one counts. c = ttftWeight * nTTFT + tpotWeight * nTPOT, weights divided by their sum (1 and 0 when that
 * is not above 0). Score: (floor(100 * (1 - c)) + 1) / 100, with `most` in the first group (floor(100 * c) + 1) / 100.
 * When no candidate is predicted: free KV share, 1 - waiting / longest queue (1 when all are empty) and the cached share
 * of the prompt, by the composite weights divided by their sum (KV alone when that is not above 0), in whole hundredths.
 * What comes to no number scores 0. Source: scheduling/scorer/latency.
 */
export const latencyScorer = defineScorer({
  type: "latency-scorer",
  example: `
plugins:
- type: predicted-latency-producer
- type: latency-scorer
  parameters: {ttftWeight: 0.7, tpotWeight: 0.3, headroomSelectionStrategy: most}
`,
  params,
  data: ({ latencyPredictionInfoProducerName, prefixMatchInfoProducerName }) => ({
    requires: [latencyPredictionKey(latencyPredictionInfoProducerName), prefixMatchKey(prefixMatchInfoProducerName)],
  }),
  create: (parsed, { endpoints }) => {
    const predictionKey = latencyPredictionKey(parsed.latencyPredictionInfoProducerName);
    const matchKey = prefixMatchKey(parsed.prefixMatchInfoProducerName);
    const scoreByHeadroom = headroomScoring(parsed);
    const loadWeights = loadWeightsOf(parsed);
    return {
      score(request, candidates, out) {
        const prediction = request.get(predictionKey);
        if (prediction && isAnyPredicted(prediction, candidates)) scoreByHeadroom(prediction, candidates, out);
        else scoreByLoad(loadWeights, endpoints, request.get(matchKey), candidates, out);
      },
    };
  },
});

type Params = z.infer<typeof params>;

function isAnyPredicted({ isPredicted }: LatencyPrediction, { count, rows }: Candidates): boolean {
  for (let i = 0; i < count; i++) if (isPredicted[rows[i]] === 1) return true;
  return false;
}

/** Group of a row, the best first. */
function groupOf(prediction: LatencyPrediction, row: number): number {
  const missesTtft = headroomMs(prediction, prediction.ttftHeadroomMs, row) < 0;
  const missesTpot = headroomMs(prediction, prediction.tpotHeadroomMs, row) < 0;
  if (!missesTtft && !missesTpot) return 0;
  if (prediction.dispatchedRequests[row] === 0) return 1;
  if (!missesTtft) return 2;
  return missesTpot ? 4 : 3;
}

/** 0 where nothing is predicted. */
const headroomMs = ({ isPredicted }: LatencyPrediction, column: Float64Array, row: number): number =>
  isPredicted[row] === 1 ? column[row] : 0;

/** The part of the formula that reads predictions. */
function headroomScoring({ ttftWeight, tpotWeight, headroomSelectionStrategy }: Params) {
  const weightSum = ttftWeight + tpotWeight;
  const ttftShare = weightSum > 0 ? ttftWeight / weightSum : 1;
  const tpotShare = weightSum > 0 ? tpotWeight / weightSum : 0;
  const ttft = new HeadroomRange();
  const tpot = new HeadroomRange();
  return (prediction: LatencyPrediction, { count, rows }: Candidates, out: Float64Array): void => {
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count; i++) best = Math.min(best, groupOf(prediction, rows[i]));
    ttft.begin();
    tpot.begin();
    for (let i = 0; i < count; i++) {
      if (groupOf(prediction, rows[i]) !== best) continue;
      ttft.widen(headroomMs(prediction, prediction.ttftHeadroomMs, rows[i]));
      tpot.widen(headroomMs(prediction, prediction.tpotHeadroomMs, rows[i]));
    }
    const onlyOne = ttft.decides !== tpot.decides;
    const a = onlyOne ? Number(ttft.decides) : ttftShare;
    const b = onlyOne ? Number(tpot.decides) : tpotShare;
    const prefersMost = headroomSelectionStrategy === "most" && best === 0;
    for (let i = 0; i < count; i++) {
      const n = ttft.share(headroomMs(prediction, prediction.ttftHeadroomMs, rows[i]));
      const c = a * n + b * tpot.share(headroomMs(prediction, prediction.tpotHeadroomMs, rows[i]));
      const score = (Math.trunc((prefersMost ? c : 1 - c) * STEPS) + 1) / STEPS;
      out[i] = groupOf(prediction, rows[i]) === best && Number.isFinite(score) ? score : 0;
    }
  };
}

/** Range of the sizes of one kind of headroom over a group of endpoints. Used again for each request. */
class HeadroomRange {
  #min = 0;
  #max = 0;

  begin(): void {
    this.#min = Number.POSITIVE_INFINITY;
    this.#max = Number.NEGATIVE_INFINITY;
  }

  widen(ms: number): void {
    const size = Math.abs(ms);
    if (size < this.#min) this.#min = size;
    if (size > this.#max) this.#max = size;
  }

  /** False when all sizes are equal. */
  get decides(): boolean {
    return this.#max - this.#min > RANGE_MIN_MS;
  }

  /** Where a size lies in the range, 0..1. */
  share(ms: number): number {
    return this.decides ? (Math.abs(ms) - this.#min) / (this.#max - this.#min) : UNDECIDED;
  }
}

interface LoadWeights {
  readonly kv: number;
  readonly queue: number;
  readonly prefix: number;
}

function loadWeightsOf({ compositeKVWeight, compositeQueueWeight, compositePrefixWeight }: Params): LoadWeights {
  const sum = compositeKVWeight + compositeQueueWeight + compositePrefixWeight;
  if (!(sum > 0)) return { kv: 1, queue: 0, prefix: 0 };
  return { kv: compositeKVWeight / sum, queue: compositeQueueWeight / sum, prefix: compositePrefixWeight / sum };
}

function scoreByLoad(
  { kv, queue, prefix }: LoadWeights,
  { kvUsage, waiting }: Endpoints,
  match: PrefixMatch | undefined,
  { count, rows, slots }: Candidates,
  out: Float64Array,
): void {
  let longest = 0;
  for (let i = 0; i < count; i++) if (waiting[slots[i]] > longest) longest = waiting[slots[i]];
  for (let i = 0; i < count; i++) {
    const shortness = longest > 0 ? (longest - waiting[slots[i]]) / longest : 1;
    const cached = match && match.totalBlocks > 0 ? match.matchBlocks[rows[i]] / match.totalBlocks : 0;
    const score = Math.round((kv * (1 - kvUsage[slots[i]]) + queue * shortness + prefix * cached) * STEPS) / STEPS;
    out[i] = Number.isFinite(score) ? score : 0;
  }
}

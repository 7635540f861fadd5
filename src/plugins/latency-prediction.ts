import type { LatencyPrediction } from "../core/data-key.ts";
import type { PluginRequest } from "../core/plugin.ts";

/** Type, and so default name, of the producer of predicted latencies. */
export const PREDICTED_LATENCY_PRODUCER = "predicted-latency-producer";

/** Headers with a request's latency objectives, new name first (`spec/plugins.md` 6.10). */
const TTFT_SLO_HEADERS = ["x-llm-d-slo-ttft-ms", "x-slo-ttft-ms"] as const;
const TPOT_SLO_HEADERS = ["x-llm-d-slo-tpot-ms", "x-slo-tpot-ms"] as const;

/** All of them, for `headerNames`. */
export const SLO_HEADERS: readonly string[] = [...TTFT_SLO_HEADERS, ...TPOT_SLO_HEADERS];

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const INFINITE = /^\+?inf(?:inity)?$/i;

/** True when the request names an objective above 0 for the first token or for the others. */
export const hasSlo = (request: PluginRequest): boolean =>
  sloMs(request, TTFT_SLO_HEADERS) > 0 || sloMs(request, TPOT_SLO_HEADERS) > 0;

/** True when the endpoint of the row is predicted, and neither of its headrooms is below 0. */
export const hasHeadroom = (prediction: LatencyPrediction | undefined, row: number): boolean =>
  prediction?.isPredicted[row] === 1 && prediction.ttftHeadroomMs[row] >= 0 && prediction.tpotHeadroomMs[row] >= 0;

/** The objective in milliseconds; 0 when it is absent or no number, as stock. */
function sloMs(request: PluginRequest, [name, olderName]: readonly [string, string]): number {
  const text = request.header(name) ?? request.header(olderName) ?? "";
  if (INFINITE.test(text)) return Number.POSITIVE_INFINITY;
  const ms = DECIMAL.test(text) ? Number(text) : 0;
  // What a double can't hold is an error to the stock's reader, and so no objective.
  return Number.isFinite(ms) ? ms : 0;
}

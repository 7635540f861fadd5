import { Histogram, oneTwoFive } from "./histogram.ts";
import type { PodRequest } from "./pod-request.ts";

// Bucket bounds as vLLM has them, seconds and tokens.
const TTFT_BOUNDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
];
const TOKEN_LATENCY_BOUNDS = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
];
const REQUEST_BOUNDS = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];
const STEP_TOKENS_BOUNDS = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384];
const FEW_BOUNDS = [1, 2, 5, 10, 20];
const PREEMPTIONS_BOUNDS = [1, 2, 3, 4, 5, 10, 20];

export type FinishReason = "stop" | "length" | "abort" | "error" | "repetition";

const MICROS = 1_000_000;

/** Histograms and counters over requests, for `/metrics`. Times are seconds of model time. */
export class RequestStats {
  readonly promptTokens: Histogram;
  readonly generationTokens: Histogram;
  readonly stepTokens = new Histogram(STEP_TOKENS_BOUNDS);
  readonly askedTokens: Histogram;
  readonly answers = new Histogram(FEW_BOUNDS);
  readonly askedTokensParam: Histogram;
  readonly firstTokenSeconds = new Histogram(TTFT_BOUNDS);
  readonly interTokenSeconds = new Histogram(TOKEN_LATENCY_BOUNDS);
  readonly perOutputTokenSeconds = new Histogram(TOKEN_LATENCY_BOUNDS);
  readonly endToEndSeconds = new Histogram(REQUEST_BOUNDS);
  readonly queueSeconds = new Histogram(REQUEST_BOUNDS);
  readonly inferenceSeconds = new Histogram(REQUEST_BOUNDS);
  readonly prefillSeconds = new Histogram(REQUEST_BOUNDS);
  readonly decodeSeconds = new Histogram(REQUEST_BOUNDS);
  readonly preemptions = new Histogram(PREEMPTIONS_BOUNDS);
  readonly computedTokens: Histogram;
  readonly ended: Record<FinishReason, number> = { stop: 0, length: 0, abort: 0, error: 0, repetition: 0 };
  /** Requests refused because too many were open. */
  refused = 0;

  constructor(modelLenTokensMax: number) {
    const bounds = oneTwoFive(modelLenTokensMax);
    this.promptTokens = new Histogram(bounds);
    this.generationTokens = new Histogram(bounds);
    this.askedTokens = new Histogram(bounds);
    this.askedTokensParam = new Histogram(bounds);
    this.computedTokens = new Histogram(bounds);
  }

  /** Token `index` came out; `request.lastTokenUs` is still the time of the one before. */
  token(request: PodRequest, timeUs: number, index: number): void {
    if (index === 0) this.firstTokenSeconds.observe((timeUs - request.arrivedUs) / MICROS);
    else this.interTokenSeconds.observe((timeUs - request.lastTokenUs) / MICROS);
  }

  stepped(tokens: number): void {
    this.stepTokens.observe(tokens);
  }

  finished(request: PodRequest): void {
    this.ended[request.output.stopped ? "stop" : "length"]++;
    this.#observe(request, request.lastTokenUs);
  }

  /** The client went away. What it had got by then counts, if it was ever scheduled. */
  aborted(request: PodRequest, nowUs: number): void {
    this.ended.abort++;
    if (request.emittedTokens > 0) this.#observe(request, nowUs);
  }

  #observe(request: PodRequest, endUs: number): void {
    const { arrivedUs, scheduledUs, firstTokenUs, lastTokenUs, emittedTokens, params } = request;
    this.promptTokens.observe(request.promptTokens);
    this.generationTokens.observe(emittedTokens);
    this.askedTokens.observe(request.outputTokens);
    this.answers.observe(1);
    this.askedTokensParam.observe(params.tokensMax);
    this.endToEndSeconds.observe((endUs - arrivedUs) / MICROS);
    this.queueSeconds.observe((scheduledUs - arrivedUs) / MICROS);
    this.inferenceSeconds.observe((lastTokenUs - scheduledUs) / MICROS);
    this.prefillSeconds.observe((firstTokenUs - scheduledUs) / MICROS);
    this.decodeSeconds.observe((lastTokenUs - firstTokenUs) / MICROS);
    this.preemptions.observe(request.preemptions);
    this.computedTokens.observe(request.promptTokens - request.cachedTokens);
    if (emittedTokens > 1) {
      this.perOutputTokenSeconds.observe((lastTokenUs - firstTokenUs) / MICROS / (emittedTokens - 1));
    }
  }
}

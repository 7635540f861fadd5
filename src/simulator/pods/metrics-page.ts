import type { EngineSignals } from "../engine/engine-types.ts";
import { kvMetrics, type KvStats } from "./kv-stats.ts";
import type { MediaCounts } from "./media-encoder.ts";
import { MetricsText, type Series } from "./metrics-text.ts";
import type { PodSettings } from "./pod-options.ts";
import type { RequestStats } from "./request-stats.ts";

/** What the page is made of. Seconds since 1970 where a time is meant. */
export interface MetricsState {
  readonly settings: PodSettings;
  readonly signals: EngineSignals;
  readonly stats: RequestStats;
  readonly startedSeconds: number;
  /** Left out for a pod that does not transfer KV. */
  readonly kv: KvStats | undefined;
  readonly media: MediaCounts;
  /** Combinations of running and waiting adapters that were seen, and when last. */
  readonly loraStates: ReadonlyMap<
    string,
    { readonly running: string; readonly waiting: string; readonly seconds: number }
  >;
  /** Answers by path, method and class of status. */
  readonly httpRequests: ReadonlyMap<
    string,
    { readonly labels: Readonly<Record<string, string>>; readonly count: number }
  >;
}

/** The page of `GET /metrics` under vLLM's names, types and labels. Times are seconds of the engine's model time. */
export function metricsPage(state: MetricsState): string {
  const { settings, startedSeconds } = state;
  const text = new MetricsText({ engine: "0", model_name: settings.modelName }, startedSeconds);
  writeState(text, state);
  writeTokens(text, state);
  writeHistograms(text, state.stats);
  const kv = state.kv ? kvMetrics(state.kv, settings.modelName, startedSeconds) : "";
  return text.text() + cacheInfo(settings) + loraInfo(state) + kv + http(state);
}

export const METRICS_CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8";

function writeState(text: MetricsText, { settings, signals }: MetricsState): void {
  text.gauge("vllm:num_requests_running", "Requests in the batch.", [{}, signals.runningRequests]);
  text.gauge("vllm:num_requests_waiting", "Requests in the queue.", [{}, signals.waitingRequests]);
  text.gauge(
    "vllm:num_requests_waiting_by_reason",
    "Requests in the queue by what they wait for.",
    [{ reason: "capacity" }, signals.waitingRequests - signals.fetchingRequests],
    [{ reason: "deferred" }, signals.fetchingRequests],
  );
  text.gauge(
    "vllm:engine_sleep_state",
    "1 for the state that the engine is in.",
    [{ sleep_state: "awake" }, 1],
    [{ sleep_state: "weights_offloaded" }, 0],
    [{ sleep_state: "discard_all" }, 0],
  );
  text.gauge(settings.kvUsageMetric, "Share of KV blocks in use by requests, 0 to 1.", [{}, signals.kvUsage]);
}

function writeTokens(text: MetricsText, { signals, stats, kv, media }: MetricsState): void {
  const { cachedPromptTokens: cached, fetchedPromptTokens: fetched } = signals;
  text.counter("vllm:prefix_cache_queries", "Prompt tokens looked up in the prefix cache.", [
    {},
    signals.prefixQueriesTokens,
  ]);
  text.counter("vllm:prefix_cache_hits", "Prompt tokens found in the prefix cache.", [{}, signals.prefixHitsTokens]);
  text.counter("vllm:external_prefix_cache_queries", "Prompt tokens asked of other pods.", [
    {},
    kv?.queriedTokens ?? 0,
  ]);
  text.counter("vllm:external_prefix_cache_hits", "Prompt tokens that came from other pods.", [
    {},
    kv?.fetchedTokens ?? 0,
  ]);
  const { encoded, cached: encodedBefore, fetched: encodedElsewhere } = media;
  text.counter("vllm:mm_cache_queries", "Pictures, sounds and films looked up in the encoder's cache.", [
    {},
    encoded + encodedBefore + encodedElsewhere,
  ]);
  text.counter("vllm:mm_cache_hits", "Pictures, sounds and films found there.", [{}, encodedBefore]);
  text.counter("vllm:num_preemptions", "Requests thrown out of the batch for want of KV blocks.", [
    {},
    signals.preemptions,
  ]);
  text.counter("vllm:prompt_tokens", "Prompt tokens of requests that gave their first token.", [
    {},
    signals.promptTokens,
  ]);
  text.counter(
    "vllm:prompt_tokens_by_source",
    "Prompt tokens by where they came from.",
    [{ source: "local_compute" }, signals.promptTokens - cached - fetched],
    [{ source: "local_cache_hit" }, cached],
    [{ source: "external_kv_transfer" }, fetched],
  );
  text.counter("vllm:prompt_tokens_cached", "Prompt tokens that came from a cache.", [{}, cached + fetched]);
  text.counter(
    "vllm:prompt_tokens_cached_by_source",
    "Prompt tokens that came from a cache, by its tier.",
    ...["device", "host", "p2p", "disk", "external_unspecified"].map((source): Series => [
      { source },
      source === "device" ? cached : source === "p2p" ? fetched : 0,
    ]),
  );
  text.counter("vllm:generation_tokens", "Tokens generated.", [{}, signals.generatedTokens]);
  text.counter(
    "vllm:request_success",
    "Requests that ended, by how.",
    ...Object.entries(stats.ended).map(([reason, count]): Series => [{ finished_reason: reason }, count]),
  );
}

function writeHistograms(text: MetricsText, stats: RequestStats): void {
  text.histogram("vllm:request_prompt_tokens", "Prompt tokens of a request.", stats.promptTokens);
  text.histogram("vllm:request_generation_tokens", "Tokens generated for a request.", stats.generationTokens);
  text.histogram("vllm:iteration_tokens_total", "Tokens that a step worked on.", stats.stepTokens);
  text.histogram("vllm:request_max_num_generation_tokens", "Most tokens a request was to get.", stats.askedTokens);
  text.histogram("vllm:request_params_n", "Parameter n of a request.", stats.answers);
  text.histogram("vllm:request_params_max_tokens", "Parameter max_tokens of a request.", stats.askedTokensParam);
  text.histogram("vllm:time_to_first_token_seconds", "Arrival to first token.", stats.firstTokenSeconds);
  text.histogram("vllm:inter_token_latency_seconds", "From one token to the next.", stats.interTokenSeconds);
  text.histogram(
    "vllm:request_time_per_output_token_seconds",
    "Mean time a token after the first, by request.",
    stats.perOutputTokenSeconds,
  );
  text.histogram("vllm:e2e_request_latency_seconds", "Arrival to last token.", stats.endToEndSeconds);
  text.histogram("vllm:request_queue_time_seconds", "Time in the queue.", stats.queueSeconds);
  text.histogram("vllm:request_inference_time_seconds", "Leaving the queue to last token.", stats.inferenceSeconds);
  text.histogram("vllm:request_prefill_time_seconds", "Leaving the queue to first token.", stats.prefillSeconds);
  text.histogram("vllm:request_decode_time_seconds", "First token to last.", stats.decodeSeconds);
  text.histogram("vllm:request_num_preemptions", "How often a request was preempted.", stats.preemptions);
  text.histogram(
    "vllm:request_prefill_kv_computed_tokens",
    "Prompt tokens computed, without cached ones.",
    stats.computedTokens,
  );
}

/** Label values that are the same for every simulated pod, in vLLM's spelling. */
const CACHE_CONFIG = {
  _block_size_resolved: "True",
  cache_dtype: "auto",
  cache_hit_alignment_tokens: "None",
  enable_mamba_shared_prefix_checkpoint: "False",
  engine: "0",
  gpu_memory_utilization: "0.9",
  hash_block_size: "None",
  is_attention_free: "False",
  kv_cache_dtype_skip_layers: "[]",
  kv_cache_layout: "None",
  kv_cache_memory_bytes: "None",
  kv_offloading_backend: "native",
  kv_offloading_size: "None",
  kv_sharing_fast_prefill: "False",
  mamba_block_size: "None",
  mamba_cache_dtype: "auto",
  mamba_cache_mode: "none",
  mamba_page_size_padded: "None",
  mamba_ssm_cache_dtype: "float32",
  num_cpu_blocks: "None",
  num_gpu_blocks_override: "None",
  prefix_cache_retention_interval: "0",
  prefix_caching_hash_algo: "xxhash",
  prefix_match_unit: "None",
  replayssm_buffer_len: "16",
  skip_page_size_padded: "None",
  sliding_window: "None",
  swa_bounded_replay: "True",
  use_kda_recoverssm: "False",
  use_replayssm: "False",
  user_specified_block_size: "True",
};

function cacheInfo({ engine }: PodSettings): string {
  const text = new MetricsText(CACHE_CONFIG, 0);
  const tokens = engine.gpuBlocks * engine.blockSizeTokens;
  text.gauge("vllm:cache_config_info", "What the KV cache is made of.", [
    {
      block_size: String(engine.blockSizeTokens),
      effective_attention_block_size: String(engine.blockSizeTokens),
      enable_prefix_caching: engine.prefixCaching === false ? "False" : "True",
      num_gpu_blocks: String(engine.gpuBlocks),
      kv_cache_size_tokens: String(tokens),
      kv_cache_max_concurrency: String(tokens / engine.modelLenTokensMax),
    },
    1,
  ]);
  return text.text();
}

function loraInfo({ settings, loraStates }: MetricsState): string {
  if (settings.loraAdapters.length === 0) return "";
  const text = new MetricsText({ max_lora: String(settings.lorasMax) }, 0);
  const series = [...loraStates.values()].map(({ running, waiting, seconds }): Series => [
    { running_lora_adapters: running, waiting_lora_adapters: waiting },
    seconds,
  ]);
  text.gauge("vllm:lora_requests_info", "Adapters of running and waiting requests; the latest time counts.", ...series);
  return text.text();
}

function http({ settings, stats, httpRequests, startedSeconds }: MetricsState): string {
  const rejections = new MetricsText({ model_name: settings.modelName }, startedSeconds);
  rejections.counter(
    "vllm:admission_rejections",
    "Requests refused because too many waited.",
    [{ reason: "max_num_queued_reqs" }, stats.refused],
    [{ reason: "max_num_queued_tokens" }, 0],
  );
  const text = new MetricsText({}, startedSeconds);
  const series = [...httpRequests.values()].map(({ labels, count }): Series => [labels, count]);
  if (series.length > 0) text.counter("http_requests", "Answers by path, method and status.", ...series);
  return rejections.text() + (series.length > 0 ? text.text() : "");
}

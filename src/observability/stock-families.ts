import type { FamilySpec } from "./metric-family.ts";

/**
 * A family of the stock EPP under its current name, and under the deprecated one that it is told by as well
 * (`spec/epp-core.md` 8; stock: pkg/epp/metrics).
 */
export interface StockFamily extends FamilySpec {
  readonly deprecated?: {
    readonly name: string;
    /** Labels of the current family that it has, each with its name there where that is another. */
    readonly labels: readonly (string | readonly [current: string, deprecated: string])[];
  };
}

const MODELS = ["model_name", "target_model_name"] as const;
const REQUEST = [...MODELS, "fairness_id", "priority"] as const;

const LATENCY_S = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60, 120, 180, 240,
  300, 360, 480, 600, 900, 1200, 1800, 2700, 3600,
];
const TTFT_S = LATENCY_S.filter((bound) => bound <= 120);
const REQUEST_BYTES = Array.from({ length: 25 }, (_, i) => 2 ** (i + 6));
/** 32778 is stock's own; dashboards name it. */
const TOKENS = [
  1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32778, 65536, 131072, 262144, 524288, 1048576,
];
const OUTPUT_TOKENS = TOKENS.filter((bound) => bound <= 8192);
const RESPONSE_BYTES = TOKENS.filter((bound) => bound <= 65536);
const NTPOT_S = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
const TPOT_S = [
  0.0005, 0.00205, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.125, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 2,
];
const ITL_S = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2];
const STEP_S = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];
const REQUEST_PROCESSING_S = [
  0.0005, 0.001, 0.002, 0.005, 0.01, 0.015, 0.025, 0.04, 0.06, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
const RESPONSE_PROCESSING_S = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];

/** A histogram over requests, with a deprecated twin by models alone where one is named. */
const overRequests = (name: string, buckets: readonly number[], help: string, deprecated = ""): StockFamily => ({
  name: `llm_d_epp_${name}`,
  help,
  type: "histogram",
  labels: REQUEST,
  buckets,
  ...(deprecated !== "" && { deprecated: { name: `inference_objective_${deprecated}`, labels: MODELS } }),
});

/** What is measured of each exchange. */
export const EXCHANGE_FAMILIES = {
  requests: {
    name: "llm_d_epp_request_total",
    help: "Requests that got an endpoint.",
    type: "counter",
    labels: REQUEST,
    deprecated: { name: "inference_objective_request_total", labels: [...MODELS, "priority"] },
  },
  errors: {
    name: "llm_d_epp_request_error_total",
    help: "Requests that ended in an error, by its code.",
    type: "counter",
    labels: [...REQUEST, "error_code"],
    deprecated: { name: "inference_objective_request_error_total", labels: [...MODELS, "error_code"] },
  },
  running: {
    name: "llm_d_epp_request_running",
    help: "Requests on their way to or from a model server.",
    type: "gauge",
    labels: REQUEST,
    deprecated: { name: "inference_objective_running_requests", labels: ["model_name"] },
  },
  durationSeconds: overRequests(
    "request_duration_seconds",
    LATENCY_S,
    "Time from a request's headers to the end of its response.",
    "request_duration_seconds",
  ),
  requestBytes: overRequests("request_size_bytes", REQUEST_BYTES, "Bytes of request bodies.", "request_sizes"),
  responseBytes: overRequests("response_size_bytes", RESPONSE_BYTES, "Bytes of response bodies.", "response_sizes"),
  inputTokens: overRequests("request_input_tokens", TOKENS, "Input tokens that servers report.", "input_tokens"),
  outputTokens: overRequests(
    "request_output_tokens",
    OUTPUT_TOKENS,
    "Output tokens that servers report.",
    "output_tokens",
  ),
  cachedTokens: overRequests(
    "request_cached_tokens",
    TOKENS,
    "Cached input tokens that servers report.",
    "prompt_cached_tokens",
  ),
  ntpotSeconds: overRequests(
    "request_ntpot_seconds",
    NTPOT_S,
    "Duration of a request divided by its output tokens.",
    "normalized_time_per_output_token_seconds",
  ),
  ttftSeconds: {
    name: "llm_d_epp_request_ttft_seconds",
    help: "Time from a request's headers to the first byte of its response's body.",
    type: "histogram",
    labels: [...REQUEST, "streaming"],
    buckets: TTFT_S,
  },
  tpotSeconds: overRequests(
    "request_streaming_tpot_seconds",
    TPOT_S,
    "Time for each output token after the first, of streamed responses.",
  ),
  itlSeconds: overRequests("request_streaming_itl_seconds", ITL_S, "Time between two pieces of a streamed response."),
  requestProcessingSeconds: {
    name: "llm_d_epp_request_processing_duration_seconds",
    help: "Time from a request's last byte to its answer.",
    type: "histogram",
    labels: [],
    buckets: REQUEST_PROCESSING_S,
  },
  responseProcessingSeconds: {
    name: "llm_d_epp_response_processing_duration_seconds",
    help: "Time spent on the messages of a response.",
    type: "histogram",
    labels: [],
    buckets: RESPONSE_PROCESSING_S,
  },
} as const satisfies Readonly<Record<string, StockFamily>>;

/** Ours: stock counts a server's error only where a proxy names the header `status`, which Envoy does not. */
export const RESPONSES_FAMILY = {
  name: "warmpath_responses_total",
  help: "Answers of model servers, by HTTP status.",
  type: "counter",
  labels: [...MODELS, "code"],
} as const satisfies FamilySpec;

/** What is measured of scheduling. */
export const SCHEDULER_FAMILIES = {
  attempts: {
    name: "llm_d_epp_scheduler_attempts_total",
    help: "Runs of the scheduler, by how they ended and what they picked.",
    type: "counter",
    labels: ["status", "target_model_name", "endpoint_name", "namespace", "port"],
    deprecated: {
      name: "inference_extension_scheduler_attempts_total",
      labels: ["status", "target_model_name", ["endpoint_name", "pod_name"], "namespace", "port"],
    },
  },
  seconds: {
    name: "llm_d_epp_scheduler_e2e_duration_seconds",
    help: "Time of a run of the scheduler.",
    type: "histogram",
    labels: [],
    buckets: STEP_S,
    deprecated: { name: "inference_extension_scheduler_e2e_duration_seconds", labels: [] },
  },
  pluginSeconds: {
    name: "llm_d_epp_plugin_duration_seconds",
    help: "Time that a plugin took at a point of a request's way.",
    type: "histogram",
    labels: ["extension_point", "plugin_type", "plugin_name"],
    buckets: STEP_S,
    deprecated: {
      name: "inference_extension_plugin_duration_seconds",
      labels: ["extension_point", "plugin_type", "plugin_name"],
    },
  },
} as const satisfies Readonly<Record<string, StockFamily>>;

/** What is measured of ext_proc streams, where that is asked for. */
export const STREAM_FAMILIES = {
  inflight: {
    name: "llm_d_epp_extproc_streams_inflight",
    help: "[ALPHA] ext_proc streams that are open.",
    type: "gauge",
    labels: [],
  },
  seconds: {
    name: "llm_d_epp_extproc_stream_duration_seconds",
    help: "[ALPHA] Time that an ext_proc stream was open.",
    type: "histogram",
    labels: [],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600],
  },
  streams: {
    name: "llm_d_epp_extproc_streams_total",
    help: "[ALPHA] ext_proc streams that are over, by gRPC code.",
    type: "counter",
    labels: ["code"],
  },
} as const satisfies Readonly<Record<string, FamilySpec>>;

/** Which build this is. */
export const INFO_FAMILY = {
  name: "llm_d_epp_info",
  help: "The build: commit and reference.",
  type: "gauge",
  labels: ["commit", "build_ref"],
  deprecated: { name: "inference_extension_info", labels: ["commit", "build_ref"] },
} as const satisfies StockFamily;

/** What goes wrong in the data layer. */
export const DATA_LAYER_FAMILIES = {
  pollErrors: {
    name: "llm_d_epp_datalayer_poll_errors_total",
    help: "Polls of a data source that failed.",
    type: "counter",
    labels: ["source_type"],
    deprecated: { name: "llm_d_inference_scheduler_datalayer_poll_errors_total", labels: ["source_type"] },
  },
  extractErrors: {
    name: "llm_d_epp_datalayer_extract_errors_total",
    help: "Pages in which an extractor did not find what it looks for.",
    type: "counter",
    labels: ["source_type", "extractor_type"],
    deprecated: {
      name: "llm_d_inference_scheduler_datalayer_extract_errors_total",
      labels: ["source_type", "extractor_type"],
    },
  },
} as const satisfies Readonly<Record<string, StockFamily>>;

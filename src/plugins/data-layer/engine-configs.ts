import { z } from "zod";
import { parseMetricSpec } from "./metric-spec.ts";

/** A metric specification, checked; "" for none. */
const spec = z.string().superRefine((text, context) => {
  if (text === "") return;
  const parsed = parseMetricSpec(text);
  if (typeof parsed !== "string") return;
  context.addIssue({ code: "custom", message: `a metric specification such as name{label="value"} (${parsed})` });
});

/** A metric specification with a default; "" means the default, as stock. */
export const metricSpecOr = (fallback: string) => spec.default(fallback).transform((text) => text || fallback);

const customMetricSchema = z.strictObject({
  /** Name under which plugins find the number. */
  attributeKey: z.string().min(1, "a name under which plugins find the number"),
  metricSpec: spec.refine((text) => text !== "", 'a metric specification such as name{label="value"}'),
});

/** Where one kind of model server tells its state. "" leaves a signal out. */
export const engineConfigSchema = z.strictObject({
  /** What a pod's engine label says. */
  name: z
    .string()
    .min(1, "the name of an engine, as in the engine label of pods")
    .refine((name) => name !== "default", 'another name: "default" is reserved for the default engine'),
  /** Gauge of waiting requests. */
  queuedRequestsSpec: spec.default(""),
  /** Gauge of running requests. */
  runningRequestsSpec: spec.default(""),
  /** Gauge of the KV cache's use, 0..1. */
  kvUsageSpec: spec.default(""),
  /** Series whose labels tell the LoRA adapters. */
  loraSpec: spec.default(""),
  /** Series whose labels tell the KV cache's block size and count. */
  cacheInfoSpec: spec.default(""),
  /** Its label of the block size in tokens. */
  cacheBlockSizeLabelName: z.string().default(""),
  /** Its label of the number of blocks. */
  cacheNumBlocksLabelName: z.string().default(""),
  /** Gauge of the block size in tokens. */
  cacheBlockSizeSpec: spec.default(""),
  /** Gauge of the number of blocks. */
  cacheNumBlocksSpec: spec.default(""),
  /** Further numbers. */
  customMetrics: z.array(customMetricSchema).default([]).superRefine(refuseRepeatedKeys),
});

/** A further number that a page has, and the attribute that it becomes. */
export type CustomMetric = z.infer<typeof customMetricSchema>;

/** Where one kind of model server tells its state. */
export type EngineConfig = z.infer<typeof engineConfigSchema>;

/** The name of the KV cache's use in vLLM before 0.10, and still beside the new one for some releases. */
export const VLLM_OLD_KV_USAGE_SPEC = "vllm:gpu_cache_usage_perc";

/** The engines known without config. */
export const BUILT_IN_ENGINES: readonly EngineConfig[] = [
  engine("vllm", {
    queuedRequestsSpec: "vllm:num_requests_waiting",
    runningRequestsSpec: "vllm:num_requests_running",
    kvUsageSpec: "vllm:kv_cache_usage_perc",
    loraSpec: "vllm:lora_requests_info",
    cacheInfoSpec: "vllm:cache_config_info",
  }),
  engine("sglang", {
    queuedRequestsSpec: "sglang:num_queue_reqs",
    runningRequestsSpec: "sglang:num_running_reqs",
    kvUsageSpec: "sglang:token_usage",
    cacheInfoSpec: "sglang:cache_config_info",
    cacheBlockSizeLabelName: "page_size",
    cacheNumBlocksLabelName: "num_pages",
  }),
  engine("trtllm-serve", {
    queuedRequestsSpec: "trtllm_num_requests_waiting",
    runningRequestsSpec: "trtllm_num_requests_running",
    kvUsageSpec: "trtllm_kv_cache_utilization",
    cacheBlockSizeSpec: "trtllm_kv_cache_tokens_per_block",
    cacheNumBlocksSpec: "trtllm_kv_cache_max_blocks",
  }),
  engine("triton-tensorrt-llm", {
    queuedRequestsSpec: "nv_trt_llm_request_metrics{request_type=waiting}",
    runningRequestsSpec: "nv_trt_llm_request_metrics{request_type=scheduled}",
    kvUsageSpec: "nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=fraction}",
    cacheBlockSizeSpec: "nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=tokens_per}",
    cacheNumBlocksSpec: "nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=max}",
  }),
  engine("triton", {
    queuedRequestsSpec: "nv_inference_pending_request_count",
    runningRequestsSpec: "nv_inference_exec_count",
  }),
];

function engine(name: string, specs: Partial<EngineConfig>): EngineConfig {
  return engineConfigSchema.parse({ name, ...specs });
}

function refuseRepeatedKeys(metrics: readonly { attributeKey: string }[], context: z.RefinementCtx): void {
  const seen = new Set<string>();
  metrics.forEach(({ attributeKey }, index) => {
    if (seen.has(attributeKey))
      context.addIssue({
        code: "custom",
        path: [index, "attributeKey"],
        message: "an attributeKey that no other custom metric of the engine has",
      });
    seen.add(attributeKey);
  });
}

import type { EngineOptions } from "./engine-types.ts";
import type { StepTime } from "./step-time.ts";

/**
 * What a model on a GPU costs a step, and how many tokens its KV cache holds at 0.9 of the memory.
 *
 * Derived, not fitted: a = weights / 0.8 of the memory bandwidth + 30 us a layer; b = FLOPs a token at an MFU of 0.50
 * (H100), 0.55 (A100, A10G), 0.45 (L40S), 0.40 (L4); q = attention FLOPs likewise; d = KV bytes a token / 0.75 of the
 * bandwidth. Qwen3-32B on two H100 has a and b as measured and d as fitted to a published inter-token latency. There is
 * no figure for c (a request that decodes, apart from its context), so it is 0.
 */
export interface EnginePreset {
  readonly model: string;
  /** GPU name, with `xN` for tensor parallelism over N. */
  readonly gpu: string;
  readonly stepTime: StepTime;
  readonly kvBytesPerToken: number;
  readonly kvCacheTokens: number;
  readonly modelLenTokensMax: number;
  readonly batchedTokensMax: number;
  readonly seqsMax: number;
}

/** GPUs below 70 GB, where vLLM by itself takes the smaller prefill budget and batch. */
const SMALL_GPUS = new Set(["L4", "L40S"]);
const QWEN3_LEN_TOKENS = 40_960;
const LLAMA31_LEN_TOKENS = 131_072;

// Columns: model, GPU, a (ms), b (us a token), q (ns a token and context token), d (ns a context token), KV bytes a
// token, KV tokens.
const TABLE = [
  ["Qwen3-0.6B", "L4", 6.3, 18.2, 4.74, 510, 114_688, 150_000],
  ["Qwen3-0.6B", "H100", 1.8, 1.8, 0.46, 46, 114_688, 638_000],
  ["Qwen3-4B", "L4", 35.1, 150, 12.2, 655, 147_456, 70_000],
  ["Qwen3-4B", "L40S", 13.2, 44.6, 3.6, 228, 147_456, 240_000],
  ["Qwen3-4B", "A100", 6.5, 42.4, 3.4, 96, 147_456, 449_000],
  ["Qwen3-4B", "H100", 4.6, 14.7, 1.2, 59, 147_456, 449_000],
  ["Qwen3-8B", "H100", 7.7, 28.1, 1.19, 59, 147_456, 393_000],
  ["Llama-3.1-8B", "L40S", 24.7, 85.7, 3.2, 202, 131_072, 208_000],
  ["Llama-3.1-8B", "A100", 11.3, 81.3, 3.1, 86, 131_072, 444_000],
  ["Llama-3.1-8B", "H100", 7.5, 28.2, 1.06, 52, 131_072, 444_000],
  ["Qwen3-14B", "H100", 12.7, 53.4, 1.66, 65, 163_840, 273_000],
  ["Qwen3-32B", "H100x2", 11, 47.5, 2.1, 36, 262_144, 307_328],
  ["Llama-3.1-70B", "A100x4", 27.7, 199, 3.8, 54, 327_680, 461_376],
  ["Llama-3.1-70B", "H100x4", 19.3, 69, 1.3, 33, 327_680, 461_376],
] as const;

export const ENGINE_PRESETS: readonly EnginePreset[] = TABLE.map(
  ([model, gpu, a, b, q, d, kvBytesPerToken, tokens]) => ({
    model,
    gpu,
    stepTime: { aUs: a * 1000, bUs: b, qUs: q / 1000, cUs: 0, dUs: d / 1000 },
    kvBytesPerToken,
    kvCacheTokens: tokens,
    modelLenTokensMax: model.startsWith("Llama") ? LLAMA31_LEN_TOKENS : QWEN3_LEN_TOKENS,
    batchedTokensMax: SMALL_GPUS.has(gpu) ? 2048 : 8192,
    seqsMax: SMALL_GPUS.has(gpu) ? 256 : 1024,
  }),
);

/** The preset of a model on a GPU, undefined when there is none. Names count without regard to case. */
export const findEnginePreset = (model: string, gpu: string): EnginePreset | undefined =>
  ENGINE_PRESETS.find(
    (preset) => preset.model.toLowerCase() === model.toLowerCase() && preset.gpu.toLowerCase() === gpu.toLowerCase(),
  );

/** Engine options of a preset: as many blocks as its KV cache holds (and the null block), 16 tokens a block by default. */
export const presetEngineOptions = (preset: EnginePreset, blockSizeTokens = 16): EngineOptions => ({
  gpuBlocks: Math.floor(preset.kvCacheTokens / blockSizeTokens) + 1,
  blockSizeTokens,
  seqsMax: preset.seqsMax,
  batchedTokensMax: preset.batchedTokensMax,
  modelLenTokensMax: preset.modelLenTokensMax,
  requestsMax: 4096,
  stepTime: preset.stepTime,
});

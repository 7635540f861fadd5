import type { EngineOptions, EngineSink } from "../engine/engine-types.ts";
import type { KvTransferOptions } from "./kv-transfer-options.ts";
import type { PodRequest } from "./pod-request.ts";
import type { SidecarOptions } from "./routing-sidecar.ts";

/** vLLM's name of the KV usage gauge: the one of today, or the one up to vLLM 0.9. */
type KvUsageMetric = "vllm:kv_cache_usage_perc" | "vllm:gpu_cache_usage_perc";

/** Value of the label `llm-d.ai/role`: what the picker sends to the pod. */
export type PodRole = "prefill" | "decode" | "encode" | "both";

/** All of one simulated pod but its address. Values that are left out have the defaults of `POD_DEFAULTS`. */
export interface PodSettings {
  /** Goes out in `x-served-by`. */
  readonly name: string;
  readonly modelName: string;
  readonly engine: EngineOptions;
  /** Real seconds a model second; 0 answers at once (see model-clock.ts). */
  readonly timeScale: number;
  /** Pods with the same seed answer the same prompt with the same text. */
  readonly seed: number;
  /** Names of LoRA adapters that are served beside the model. They share its cost; their caches are apart. */
  readonly loraAdapters: readonly string[];
  readonly lorasMax: number;
  /** A model that may end by itself does so after a length drawn evenly from this range. */
  readonly naturalTokensMin: number;
  readonly naturalTokensMax: number;
  /** Usage tells the cached tokens (vLLM's --enable-prompt-tokens-details). */
  readonly promptTokensDetails: boolean;
  readonly kvUsageMetric: KvUsageMetric;
  /** A longer request body is answered 413. */
  readonly bodyBytesMax: number;
  /** One more open connection is closed at once. */
  readonly connectionsMax: number;
  /** An answer that no one reads holds at most about this much; what comes out meanwhile is sent as one chunk later. */
  readonly unsentBytesMax: number;
  /** For the label; besides, an encode pod runs its encoder alone. A pod takes what it gets, whatever its role. */
  readonly role?: PodRole;
  /** Tokens that stand for one picture, sound or film; 0 for a model that takes none. */
  readonly mediaTokens: number;
  /** Time that encoding one takes, microseconds. */
  readonly encodeUs: number;
  /** Encoded items that a pod keeps; one more takes the place of the one not used longest. */
  readonly encodedItemsMax: number;
  /** How KV moves to and from other pods; without it `kv_transfer_params` mean nothing. */
  readonly kvTransfer?: KvTransferOptions;
  /** Puts a routing side-car in front of the engine's port. */
  readonly sidecar?: SidecarOptions;
  /** Told of each KV block stored and removed. */
  readonly blockEvents?: Pick<EngineSink<PodRequest>, "blocksStored" | "blockRemoved" | "blocksCleared">;
}

export const POD_DEFAULTS = {
  timeScale: 1,
  seed: 1,
  loraAdapters: [],
  lorasMax: 4,
  naturalTokensMin: 300,
  naturalTokensMax: 1500,
  promptTokensDetails: true,
  kvUsageMetric: "vllm:kv_cache_usage_perc",
  bodyBytesMax: 16 * 1024 * 1024,
  connectionsMax: 10_000,
  unsentBytesMax: 256 * 1024,
  mediaTokens: 0,
  encodeUs: 50_000,
  encodedItemsMax: 1000,
} as const satisfies Partial<PodSettings>;

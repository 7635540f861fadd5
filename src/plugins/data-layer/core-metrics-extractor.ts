import { z } from "zod";
import type { SignalRow } from "../../core/events.ts";
import { EngineSignals } from "./engine-signals.ts";
import { BUILT_IN_ENGINES, VLLM_OLD_KV_USAGE_SPEC, engineConfigSchema } from "./engine-configs.ts";

export const CORE_METRICS_EXTRACTOR_TYPE = "core-metrics-extractor";
/** Its name in older pickers. */
export const CORE_METRICS_EXTRACTOR_ALIASES = ["model-server-protocol-metrics"] as const;

/** Label that tells a pod's engine where the label of the config does not. */
const FALLBACK_ENGINE_LABEL = "inference.networking.k8s.io/engine-type";
const DEFAULT_ENGINE = "vllm";

/** Parameters of core-metrics-extractor. */
export const coreMetricsExtractorParams = z
  .strictObject({
    /** Label whose value names a pod's engine. */
    engineLabelKey: z
      .string()
      .default("llm-d.ai/engine-type")
      .transform((key) => key || "llm-d.ai/engine-type"),
    /** Engine of pods whose label is missing or unknown. */
    defaultEngine: z
      .string()
      .default(DEFAULT_ENGINE)
      .transform((name) => name || DEFAULT_ENGINE),
    /** Engines besides the built-in ones, or wholly in place of the one of the same name. */
    engineConfigs: z.array(engineConfigSchema).default([]),
  })
  .superRefine(({ defaultEngine, engineConfigs }, context) => {
    const names = engineConfigs.map((config) => config.name);
    names.forEach((name, index) => {
      if (names.indexOf(name) < index)
        context.addIssue({
          code: "custom",
          path: ["engineConfigs", index, "name"],
          message: `Cannot configure engine ${JSON.stringify(name)} twice`,
        });
    });
    const known = [...new Set([...names, ...BUILT_IN_ENGINES.map((engine) => engine.name)])];
    if (!known.includes(defaultEngine))
      context.addIssue({
        code: "custom",
        path: ["defaultEngine"],
        message: `Cannot find the default engine ${JSON.stringify(defaultEngine)}: known are ${known.join(", ")}`,
      });
  });

export type CoreMetricsExtractorParams = z.infer<typeof coreMetricsExtractorParams>;

/** What one page said, without whose it is. */
export type Signals = Omit<SignalRow, "slot" | "generation">;

/** What came of one page. */
export interface Extraction {
  /** The signals; undefined when the page had none of those wanted: then the last scrape's time stays too. */
  readonly signals: Signals | undefined;
  /** What was missing or no number; the other signals apply. */
  readonly errors: readonly string[];
}

/** Reads signals from metrics pages. Keeps no state of a pod. */
export interface MetricsExtractor {
  readonly type: string;
  /**
   * Signals of a page in Prometheus' text format, of a pod with these labels. A string is why the page as a whole is
   * refused. The page may be changed after the call.
   */
  extract(page: Uint8Array, labels: Readonly<Record<string, string>>): Extraction | string;
}

export interface ExtractorOptions {
  /**
   * Whether a vLLM pod whose page lacks vllm:kv_cache_usage_perc is read by the older name vllm:gpu_cache_usage_perc.
   * The stock picker of today does not. Has no effect where the config replaces the engine "vllm". Default true.
   */
  readonly readsOldKvUsage?: boolean;
}

/**
 * Makes the extractor of the signals that scorers live on: requests waiting and running, use and shape of the KV cache,
 * LoRA adapters, and the config's custom metrics. Which series mean what depends on the pod's engine.
 */
export function createCoreMetricsExtractor(
  params: CoreMetricsExtractorParams,
  { readsOldKvUsage = true }: ExtractorOptions = {},
): MetricsExtractor {
  const engines = new Map<string, EngineSignals>();
  for (const config of BUILT_IN_ENGINES) {
    const oldKvUsage = config.name === DEFAULT_ENGINE && readsOldKvUsage ? VLLM_OLD_KV_USAGE_SPEC : "";
    engines.set(config.name, new EngineSignals(config, oldKvUsage));
  }
  for (const config of params.engineConfigs) engines.set(config.name, new EngineSignals(config, ""));
  const fallback = engines.get(params.defaultEngine)!;
  return {
    type: CORE_METRICS_EXTRACTOR_TYPE,
    extract(page, labels) {
      const engine = labels[params.engineLabelKey] || labels[FALLBACK_ENGINE_LABEL] || "";
      return (engines.get(engine) ?? fallback).extract(page);
    },
  };
}

import { z } from "zod";
import { dataKey } from "../../core/data-key.ts";
import { defineDataLayerType } from "../define.ts";
import { CORE_METRICS_EXTRACTOR, CORE_SIGNALS, signalKey } from "../signals.ts";
import { BUILT_IN_ENGINES, VLLM_OLD_KV_USAGE_SPEC, engineConfigSchema } from "./engine-configs.ts";
import { EngineSignals } from "./engine-signals.ts";
import type { PageExtractor } from "./page-extractor.ts";

const ENGINE_LABEL = "llm-d.ai/engine-type";
/** Label that tells a pod's engine when it has not the label of the config. */
const FALLBACK_ENGINE_LABEL = "inference.networking.k8s.io/engine-type";
const DEFAULT_ENGINE = "vllm";

const params = z
  .strictObject({
    engineLabelKey: z
      .string()
      .default(ENGINE_LABEL)
      .transform((key) => key || ENGINE_LABEL)
      .describe(`Label that names a pod's engine; pods without it are looked at for ${FALLBACK_ENGINE_LABEL}.`),
    defaultEngine: z
      .string()
      .default(DEFAULT_ENGINE)
      .transform((name) => name || DEFAULT_ENGINE)
      .describe("Engine of pods whose label is missing or unknown."),
    engineConfigs: z
      .array(engineConfigSchema)
      .default([])
      .describe("Engines besides the built-in ones, or wholly in place of the one of the same name."),
  })
  .superRefine(({ defaultEngine, engineConfigs }, context) => {
    const names = engineConfigs.map((config) => config.name);
    const known = [...new Set([...names, ...BUILT_IN_ENGINES.map((engine) => engine.name)])];
    for (const [index, name] of names.entries()) {
      if (names.indexOf(name) === index) continue;
      const path = ["engineConfigs", index, "name"];
      context.addIssue({ code: "custom", path, message: "a name that no engine before it has" });
    }
    if (!known.includes(defaultEngine))
      context.addIssue({ code: "custom", path: ["defaultEngine"], message: `one of ${known.join(", ")}` });
  });

export type CoreMetricsExtractorParams = z.input<typeof params>;

/**
 * Reads the signals that scorers live on from model servers' metrics pages: requests waiting and running, use and shape
 * of the KV cache, LoRA adapters, and custom metrics. Which series mean what depends on the pod's engine; series are not
 * summed: of those that match, the latest by timestamp counts, the first when none has one. Values come from gauges and
 * counters only, others count as 0. Requests are cut to whole numbers; what is no 64-bit integer (NaN, an infinity)
 * becomes -2^63, as recorded. A KV use or custom metric that is not finite is an error and is not taken.
 * Source: extractor/metrics (extractor.go, spec.go, loraspec.go, factories.go).
 */
export const coreMetricsExtractor = defineDataLayerType("extractor", {
  type: CORE_METRICS_EXTRACTOR,
  aliases: ["model-server-protocol-metrics"],
  payload: "metrics",
  params,
  data: ({ engineConfigs }, name) => ({
    produces: [
      ...CORE_SIGNALS.map((signal) => signalKey(signal, name)),
      ...engineConfigs.flatMap(({ customMetrics }) =>
        customMetrics.map(({ attributeKey }) => dataKey(attributeKey, name)),
      ),
    ],
  }),
});

export interface ExtractorOptions {
  /**
   * Whether a vLLM pod whose page lacks vllm:kv_cache_usage_perc is read by the older name vllm:gpu_cache_usage_perc.
   * The stock picker of today does not. Has no effect where the config replaces the engine "vllm". Default true.
   */
  readonly readsOldKvUsage?: boolean;
}

/** Makes the extractor from parameters as the config has them. Throws when they are not valid. */
export function createCoreMetricsExtractor(
  config: CoreMetricsExtractorParams,
  { readsOldKvUsage = true }: ExtractorOptions = {},
): PageExtractor {
  const { engineLabelKey, defaultEngine, engineConfigs } = params.parse(config);
  const engines = new Map<string, EngineSignals>();
  for (const engine of BUILT_IN_ENGINES) {
    const oldKvUsageSpec = engine.name === DEFAULT_ENGINE && readsOldKvUsage ? VLLM_OLD_KV_USAGE_SPEC : "";
    engines.set(engine.name, new EngineSignals(engine, oldKvUsageSpec));
  }
  for (const engine of engineConfigs) engines.set(engine.name, new EngineSignals(engine, ""));
  const fallback = engines.get(defaultEngine)!;
  return {
    type: CORE_METRICS_EXTRACTOR,
    extract(page, { labels }) {
      const name = labels[engineLabelKey] || labels[FALLBACK_ENGINE_LABEL] || "";
      return (engines.get(name) ?? fallback).extract(page);
    },
  };
}

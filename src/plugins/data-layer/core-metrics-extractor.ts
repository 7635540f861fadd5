import { z } from "zod";
import { dataKey } from "../../core/data-key.ts";
import { defineDataLayerType } from "../define.ts";
import { CORE_METRICS_EXTRACTOR, CORE_SIGNALS, signalKey } from "../signals.ts";
import { BUILT_IN_ENGINES, type EngineConfig, VLLM_OLD_KV_USAGE_SPEC, engineConfigSchema } from "./engine-configs.ts";
import { EngineSignals } from "./engine-signals.ts";
import type { PageExtractor } from "./page-extractor.ts";

const ENGINE_LABEL = "llm-d.ai/engine-type";
/** Label that tells a pod's engine when it has not the label of the config. */
const FALLBACK_ENGINE_LABEL = "inference.networking.k8s.io/engine-type";
const DEFAULT_ENGINE = "vllm";

const stockShape = {
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
};

const stockParams = z.strictObject(stockShape).superRefine(checkEngines);
const params = z
  .strictObject({
    ...stockShape,
    readsOldKvUsage: z
      .boolean()
      .default(true)
      .describe(
        "Whether a vLLM pod without vllm:kv_cache_usage_perc is read by its name up to vLLM 0.9, vllm:gpu_cache_usage_perc. " +
          "Not a parameter of the stock EPP, which does not; false under --strict-config.",
      ),
  })
  .superRefine(checkEngines);

export type CoreMetricsExtractorParams = z.input<typeof params>;

/**
 * Reads the signals that scorers live on from model servers' metrics pages: requests waiting and running, use and shape
 * of the KV cache, LoRA adapters, and custom metrics. Which series mean what depends on the pod's engine; series are not
 * summed: of those that match, the latest by timestamp counts, the first when none has one. Values come from gauges and
 * counters only, others count as 0. Requests are cut to whole numbers; what is no 64-bit integer (NaN, an infinity)
 * becomes -2^63, as recorded. A KV use or custom metric that is not finite is an error and is not taken. A vLLM pod is also
 * read by the older name of its KV use (`readsOldKvUsage`), which the stock EPP of today is not.
 * Source: extractor/metrics (extractor.go, spec.go, loraspec.go, factories.go).
 */
export const coreMetricsExtractor = defineDataLayerType("extractor", {
  type: CORE_METRICS_EXTRACTOR,
  aliases: ["model-server-protocol-metrics"],
  payload: "metrics",
  params,
  stockParams,
  example: `
plugins:
- type: core-metrics-extractor
  parameters:
    engineConfigs:
    - name: acme
      queuedRequestsSpec: acme_queue
      runningRequestsSpec: "acme_requests{state=running}"
      kvUsageSpec: acme_kv_usage
      customMetrics:
      - {attributeKey: heat, metricSpec: acme_heat}
- type: metrics-data-source
dataLayer:
  sources:
  - pluginRef: metrics-data-source
    extractors:
    - pluginRef: core-metrics-extractor
`,
  // The keys have the type's name whatever the plugin's own is, as stock.
  data: ({ engineConfigs }) => ({
    produces: [
      ...CORE_SIGNALS.map((signal) => signalKey(signal)),
      ...engineConfigs.flatMap(({ customMetrics }) =>
        customMetrics.map(({ attributeKey }) => dataKey(attributeKey, CORE_METRICS_EXTRACTOR)),
      ),
    ],
  }),
});

/** Makes the extractor from parameters as the config has them. Throws when they are not valid. */
export function createCoreMetricsExtractor(config: CoreMetricsExtractorParams): PageExtractor {
  const { engineLabelKey, defaultEngine, engineConfigs, readsOldKvUsage } = params.parse(config);
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

function checkEngines(
  { defaultEngine, engineConfigs }: { readonly defaultEngine: string; readonly engineConfigs: readonly EngineConfig[] },
  context: z.RefinementCtx,
): void {
  const names = engineConfigs.map((config) => config.name);
  const known = [...new Set([...names, ...BUILT_IN_ENGINES.map((engine) => engine.name)])];
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) === index) continue;
    const path = ["engineConfigs", index, "name"];
    context.addIssue({ code: "custom", path, message: "a name that no engine before it has" });
  }
  if (!known.includes(defaultEngine))
    context.addIssue({ code: "custom", path: ["defaultEngine"], message: `one of ${known.join(", ")}` });
}

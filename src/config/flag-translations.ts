import type { ConfigSource } from "../core/events.ts";
import { BUILT_IN_ENGINES, VLLM_OLD_KV_USAGE_SPEC } from "../plugins/data-layer/engine-configs.ts";
import type { EngineConfig } from "../plugins/data-layer/engine-configs.ts";
import { METRICS_DATA_SOURCE } from "../plugins/data-layer/metrics-data-source.ts";
import { CORE_METRICS_EXTRACTOR } from "../plugins/signals.ts";
import type { Blueprint } from "./blueprint.ts";
import type { ConfigNode } from "./config-node.ts";
import { childOf } from "./config-node.ts";
import type { PluginEntry } from "./plugin-entry.ts";

type Options = ConfigSource["options"];
type Params = Readonly<Record<string, unknown>>;

/** Flags of older releases (`old-flags.ts`) to parameters of metrics-data-source. */
const PAGE_PARAMETERS: Readonly<Record<string, string>> = {
  "model-server-metrics-scheme": "scheme",
  "model-server-metrics-path": "path",
  "model-server-metrics-port": "port",
  "model-server-metrics-https-insecure-skip-verify": "insecureSkipVerify",
};

/** Flags of older releases to what an engine of core-metrics-extractor has. */
const ENGINE_SPECS: Readonly<Record<string, keyof EngineConfig>> = {
  "total-queued-requests-metric": "queuedRequestsSpec",
  "total-running-requests-metric": "runningRequestsSpec",
  "kv-cache-usage-percentage-metric": "kvUsageSpec",
  "lora-info-metric": "loraSpec",
  "cache-info-metric": "cacheInfoSpec",
};
const PAGE_FLAGS = "--model-server-metrics-*";
const METRIC_FLAGS = "--*-metric";
const VLLM = BUILT_IN_ENGINES[0];

/**
 * Makes the older flags among the options parameters of the data layer's plugins, as if they were written there: what
 * the config says itself counts before them (stock up to 0.9: factories.go of the metrics plugins). Metric names become an engine
 * "vllm" in place of the built-in one, unless they are its own names, old or new: that reads both.
 * `root`: the document, to tell what it says from defaults. Warns where the config decides
 * and where it has no such plugin.
 */
export function withFlagTranslations(blueprint: Blueprint, root: ConfigNode, options: Options): Blueprint {
  return withStrictMetrics(withMetricFlags(blueprint, root, options), options);
}

/** --strict-config: metrics under the names alone that the recorded stock release reads. */
function withStrictMetrics(blueprint: Blueprint, options: Options): Blueprint {
  if (options["strict-config"] !== true) return blueprint;
  const extractors = blueprint.plugins.filter(({ definition }) => definition.type === CORE_METRICS_EXTRACTOR);
  const strict = extractors.map(
    ({ name, params }) => [name, { ...(params as Params), readsOldKvUsage: false }] as const,
  );
  return withParams(blueprint, new Map(strict));
}

function withMetricFlags(blueprint: Blueprint, root: ConfigNode, options: Options): Blueprint {
  const pages = pageParameters(options);
  const engine = engineOf(options);
  if (Object.keys(pages).length === 0 && !engine) return blueprint;
  const warnings: string[] = [];
  const changed = new Map<string, Params>();
  for (const entry of blueprint.plugins) {
    const said = parametersSaid(entry, root);
    const params = entry.params as Params;
    if (entry.definition.type === METRICS_DATA_SOURCE) {
      const kept = Object.entries(pages).filter(([key]) => !said.has(key.toLowerCase()));
      changed.set(entry.name, { ...params, ...Object.fromEntries(kept) });
      const decided = Object.keys(pages).filter((key) => said.has(key.toLowerCase()));
      if (decided.length > 0) warnings.push(decides(entry.name, decided.join(", "), PAGE_FLAGS));
    } else if (entry.definition.type === CORE_METRICS_EXTRACTOR && engine) {
      const engines = params.engineConfigs as readonly EngineConfig[];
      if (engines.some(({ name }) => name === VLLM.name)) {
        warnings.push(decides(entry.name, `engineConfigs "${VLLM.name}"`, METRIC_FLAGS));
      } else changed.set(entry.name, { ...params, engineConfigs: [...engines, engine] });
    }
  }
  for (const [type, flags, isSet] of [
    [METRICS_DATA_SOURCE, PAGE_FLAGS, Object.keys(pages).length > 0],
    [CORE_METRICS_EXTRACTOR, METRIC_FLAGS, engine !== undefined],
  ] as const) {
    const isThere = blueprint.plugins.some(({ definition }) => definition.type === type);
    if (isSet && !isThere) warnings.push(`${flags} has no effect: the config has no ${type}`);
  }
  return { ...withParams(blueprint, changed), warnings: [...blueprint.warnings, ...warnings] };
}

/** The blueprint with other parameters of some plugins, by their names. */
function withParams(blueprint: Blueprint, changed: ReadonlyMap<string, Params>): Blueprint {
  const changedOne = <T extends { readonly name: string; readonly params: unknown }>(plugin: T): T => {
    const params = changed.get(plugin.name);
    return params ? { ...plugin, params } : plugin;
  };
  const { sources } = blueprint.dataLayer;
  return {
    ...blueprint,
    plugins: blueprint.plugins.map(changedOne),
    dataLayer: {
      ...blueprint.dataLayer,
      sources: sources.map((source) => ({ ...changedOne(source), extractors: source.extractors.map(changedOne) })),
    },
  };
}

const decides = (plugin: string, what: string, flags: string): string =>
  `${plugin} says ${what} itself, which counts before ${flags}`;

function pageParameters(options: Options): Params {
  return Object.fromEntries(
    Object.entries(PAGE_PARAMETERS).flatMap(([name, key]) => (name in options ? [[key, options[name]]] : [])),
  );
}

/** The engine that the metric flags describe; undefined when it is the built-in one. */
function engineOf(options: Options): EngineConfig | undefined {
  const specs = Object.entries(ENGINE_SPECS).flatMap(([name, key]) => {
    const spec = options[name];
    const isBuiltIn = spec === VLLM[key] || (key === "kvUsageSpec" && spec === VLLM_OLD_KV_USAGE_SPEC);
    return spec === undefined || isBuiltIn ? [] : [[key, spec]];
  });
  return specs.length === 0 ? undefined : { ...VLLM, ...Object.fromEntries(specs) };
}

/** Parameters that the config gives a plugin, in lower case, as stock reads their keys in any case. */
function parametersSaid({ path }: PluginEntry, root: ConfigNode): ReadonlySet<string> {
  let node: ConfigNode | undefined = root;
  for (const step of path ? [...path, "parameters"] : []) node = childOf(node, step);
  const keys = path && node?.kind === "map" ? node.entries.map(({ key }) => key.toLowerCase()) : [];
  return new Set(keys);
}

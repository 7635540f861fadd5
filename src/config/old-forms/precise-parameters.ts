import type { ConfigMap, ConfigPath } from "../config-node.ts";
import { childOf } from "../config-node.ts";
import type { ProblemList } from "../config-error.ts";
import { inPlace, mapUnder, ofPlugins, textUnder, withEntry, withoutEntry } from "./old-form.ts";
import { INDEX_KEYS } from "./prefix-index-parameters.ts";

const PRECISE_SCORER = "precise-prefix-cache-scorer";
const PRECISE_PRODUCER = "precise-prefix-cache-producer";

/** `mode: cache_tracking` of prefix-cache-scorer (llm-d-inference-scheduler to 0.5): today the type precise-prefix-cache-scorer. */
export const cacheTrackingMode = ofPlugins(["prefix-cache-scorer"], (plugin, path, problems) => {
  const parameters = childOf(plugin, "parameters");
  const mode = childOf(parameters, "mode");
  if (parameters?.kind !== "map" || !mode) return plugin;
  const tracks = mode.kind === "scalar" && mode.value === "cache_tracking";
  const idle = parameters.entries.filter(({ key }) => INDEX_KEYS.includes(key)).map(({ key }) => key);
  const without = idle.length > 0 ? `, where ${idle.join(", ")} ${idle.length > 1 ? "have" : "has"} no effect` : "";
  const meaning = tracks ? `today the type ${PRECISE_SCORER}${without}` : "prefix-cache-scorer estimates without it";
  problems.old(mode.place, [...path, "parameters", "mode"], `an older parameter: ${meaning}`);
  if (!tracks) return inPlace(plugin, "parameters", withoutEntry(parameters, "mode"));
  const rest = inPlace(plugin, "parameters", withoutEntry(parameters, "mode", ...INDEX_KEYS));
  const type = childOf(plugin, "type")!;
  const retyped = inPlace(rest, "type", { kind: "scalar", value: PRECISE_SCORER, place: type.place, size: 1 });
  return textUnder(plugin, "name") === "" ? withEntry(retyped, "name", type) : retyped;
});

/**
 * Parameters of the precise prefix cache under older places: `indexerConfig.tokenProcessorConfig` is `tokenProcessorConfig`
 * today; those of the index and the tokeniser that no release reads any more are dropped.
 */
export const preciseParameters = ofPlugins([PRECISE_SCORER, PRECISE_PRODUCER], (plugin, path, problems) => {
  const parameters = childOf(plugin, "parameters");
  const indexer = childOf(parameters, "indexerConfig");
  if (parameters?.kind !== "map" || indexer?.kind !== "map") return plugin;
  const where = [...path, "parameters", "indexerConfig"];
  const drop = new Dropping(where, problems);
  let rest = drop.from(indexer, ["prefixStoreConfig"]);
  rest = drop.within(rest, "kvBlockIndexConfig", ["maxPrefixBlocksToMatch"]);
  rest = drop.within(rest, "tokenizersPoolConfig", ["hf", "tokenizersCacheDir"]);
  const processor = childOf(rest, "tokenProcessorConfig");
  let changed = inPlace(parameters, "indexerConfig", withoutEntry(rest, "tokenProcessorConfig"));
  if (processor) {
    problems.old(
      processor.place,
      [...where, "tokenProcessorConfig"],
      "an older place of parameters.tokenProcessorConfig",
    );
    if (!childOf(changed, "tokenProcessorConfig")) changed = withEntry(changed, "tokenProcessorConfig", processor);
  }
  return inPlace(plugin, "parameters", changed);
});

/** Takes out what has no meaning any more, with a warning each. */
class Dropping {
  readonly #path: ConfigPath;
  readonly #problems: ProblemList;

  constructor(path: ConfigPath, problems: ProblemList) {
    this.#path = path;
    this.#problems = problems;
  }

  from(map: ConfigMap, keys: readonly string[], path: ConfigPath = this.#path): ConfigMap {
    for (const { key, keyPlace } of map.entries) {
      if (keys.includes(key))
        this.#problems.old(keyPlace, [...path, key], "an older parameter, which has no effect today");
    }
    return withoutEntry(map, ...keys);
  }

  within(map: ConfigMap, key: string, keys: readonly string[]): ConfigMap {
    const inner = childOf(map, key) && mapUnder(map, key);
    if (!inner || !inner.entries.some((entry) => keys.includes(entry.key))) return map;
    return inPlace(map, key, this.from(inner, keys, [...this.#path, key]));
  }
}

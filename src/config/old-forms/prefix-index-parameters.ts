import type { ConfigEntry, ConfigMap, ConfigPath } from "../config-node.ts";
import { childOf } from "../config-node.ts";
import type { ProblemList } from "../config-error.ts";
import type { OldForm } from "./old-form.ts";
import {
  inPlace,
  mapOf,
  mapPlugins,
  pluginsOf,
  textUnder,
  withEntry,
  withoutEntry,
  withParameters,
  withPlugin,
} from "./old-form.ts";

const SCORER = "prefix-cache-scorer";
const PRODUCER = "approx-prefix-cache-producer";
const PRODUCER_NAME = "prefixMatchInfoProducerName";
/** Characters that count as a token. */
const CHARS_PER_TOKEN = 4;
/** Parameters of the index that prefix-cache-scorer once held. */
export const INDEX_KEYS: readonly string[] = [
  "autoTune",
  "blockSize",
  "blockSizeTokens",
  "hashBlockSize",
  "lruCapacityPerServer",
  "maxPrefixBlocksToMatch",
  "maxPrefixTokensToMatch",
];

/**
 * Index parameters of prefix-cache-scorer, which held the index itself up to GIE 1.4: today those of the
 * approx-prefix-cache-producer that it reads, made when the config declares none. hashBlockSize counted characters;
 * it becomes tokens. Scorers with differing parameters get a producer each, as each had an index of its own.
 */
export const prefixIndexParameters: OldForm = (root, problems) => {
  const producers = new Map<string, string>();
  let document = root;
  for (const [i, plugin] of pluginsOf(root).entries()) {
    if (plugin.kind !== "map" || textUnder(plugin, "type") !== SCORER) continue;
    const parameters = childOf(plugin, "parameters");
    if (parameters?.kind !== "map") continue;
    const entries = parameters.entries.filter(({ key }) => INDEX_KEYS.includes(key));
    if (entries.length === 0) continue;
    const given = indexParameters(entries, parameters);
    const wanted = textUnder(parameters, PRODUCER_NAME);
    const name = wanted || producerFor(plugin, given, producers);
    tell(entries, ["plugins", i, "parameters"], name, problems);
    const rest = withoutEntry(parameters, ...INDEX_KEYS);
    const named = name === PRODUCER || wanted !== "" ? rest : mergedName(rest, name);
    document = replacePlugin(document, i, inPlace(plugin, "parameters", named));
    document = withProducer(document, name, given, wanted === "" || wanted === PRODUCER);
  }
  return document;
};

function indexParameters(entries: readonly ConfigEntry[], { place, size }: ConfigMap): ConfigMap {
  const kept = entries.filter(({ key }) => key !== "hashBlockSize" && key !== "blockSize");
  const tokens = kept.some(({ key }) => key === "blockSizeTokens");
  const old = entries.find(({ key }) => key === "blockSize") ?? entries.find(({ key }) => key === "hashBlockSize");
  if (old && !tokens) kept.push({ ...old, key: "blockSizeTokens", value: blockTokens(old) });
  return { kind: "map", entries: kept, place, size };
}

function blockTokens({ key, value }: ConfigEntry): ConfigEntry["value"] {
  if (key !== "hashBlockSize" || value.kind !== "scalar" || typeof value.value !== "number") return value;
  return { ...value, value: Math.ceil(value.value / CHARS_PER_TOKEN) };
}

/** The producer's name for these parameters: the default one for the first, one of its own for each that differs. */
function producerFor(plugin: ConfigMap, given: ConfigMap, producers: Map<string, string>): string {
  const texts = given.entries.map(({ key, value }) => `${key}: ${value.kind === "scalar" ? String(value.value) : ""}`);
  const same = texts.toSorted((a, b) => (a < b ? -1 : 1)).join("\n");
  const name =
    producers.get(same) ?? (producers.size === 0 ? PRODUCER : `${textUnder(plugin, "name") || SCORER}-producer`);
  producers.set(same, name);
  return name;
}

function tell(entries: readonly ConfigEntry[], path: ConfigPath, name: string, problems: ProblemList): void {
  const [{ key, keyPlace }] = entries;
  const keys = entries.map((entry) => entry.key).join(", ");
  const what = entries.length > 1 ? "are parameters" : "is a parameter";
  const producer = name === PRODUCER ? name : `the ${PRODUCER} ${name}`;
  problems.old(keyPlace, [...path, key], `an older form: ${keys} ${what} of ${producer} today${units(entries)}`);
}

function units(entries: readonly ConfigEntry[]): string {
  const old = entries.find(({ key }) => key === "hashBlockSize");
  if (old) return `, hashBlockSize in tokens as blockSizeTokens`;
  return entries.some(({ key }) => key === "blockSize") ? ", blockSize as blockSizeTokens" : "";
}

const mergedName = (parameters: ConfigMap, name: string): ConfigMap =>
  withEntry(parameters, PRODUCER_NAME, { kind: "scalar", value: name, place: parameters.place, size: 1 });

const replacePlugin = (root: ConfigMap, at: number, by: ConfigMap): ConfigMap =>
  mapPlugins(root, (plugin, path) => (path[1] === at ? by : plugin));

/** A producer of another type than the estimating one keeps its parameters; one that is named and missing stays so. */
function withProducer(root: ConfigMap, name: string, given: ConfigMap, mayMake: boolean): ConfigMap {
  const declared = pluginsOf(root).find((plugin) => (textUnder(plugin, "name") || textUnder(plugin, "type")) === name);
  if (declared) return textUnder(declared, "type") === PRODUCER ? withParameters(root, name, given) : root;
  if (!mayMake) return root;
  const values = name === PRODUCER ? { type: PRODUCER } : { type: PRODUCER, name };
  return withPlugin(root, withEntry(mapOf(values, given.place), "parameters", given));
}

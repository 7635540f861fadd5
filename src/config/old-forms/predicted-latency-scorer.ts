import { childOf } from "../config-node.ts";
import type { OldForm } from "./old-form.ts";
import {
  inPlace,
  mapOf,
  mapPlugins,
  mapUnder,
  pluginNames,
  pluginsOf,
  textUnder,
  withEntry,
  withoutEntry,
  withParameters,
  withPlugin,
} from "./old-form.ts";

const OLD = "predicted-latency-scorer";
const SCORER = "latency-scorer";
const PRODUCER = "predicted-latency-producer";
const SCORER_KEYS = [
  "ttftWeight",
  "tpotWeight",
  "headroomSelectionStrategy",
  "compositeKVWeight",
  "compositeQueueWeight",
  "compositePrefixWeight",
];

/**
 * `predicted-latency-scorer` (GIE 1.4 to 1.5), which predicted and scored: today latency-scorer, which keeps the weights,
 * and predicted-latency-producer with the other parameters.
 */
export const predictedLatencyScorer: OldForm = (root, problems) => {
  const at = pluginsOf(root).findIndex((plugin) => textUnder(plugin, "type") === OLD);
  const old = pluginsOf(root)[at];
  const parameters = old?.kind === "map" ? mapUnder(old, "parameters") : undefined;
  if (old?.kind !== "map" || !parameters) return root;
  const type = childOf(old, "type")!;
  problems.old(type.place, ["plugins", at, "type"], `an older type, today ${SCORER} with a ${PRODUCER}`);
  const scorer = parameters.entries.filter(({ key }) => SCORER_KEYS.includes(key));
  const given = withoutEntry(parameters, ...SCORER_KEYS);
  let now = inPlace(old, "type", { kind: "scalar", value: SCORER, place: type.place, size: 1 });
  now = inPlace(now, "parameters", { ...parameters, entries: scorer });
  if (textUnder(now, "name") === "") now = withEntry(now, "name", type);
  const document = mapPlugins(root, (plugin, path) => (path[1] === at ? now : plugin));
  if (pluginNames(document).has(PRODUCER)) return withParameters(document, PRODUCER, given);
  return withPlugin(document, withEntry(mapOf({ type: PRODUCER }, type.place), "parameters", given));
};

import type { ConfigMap, ConfigPath } from "../config-node.ts";
import { childOf } from "../config-node.ts";
import type { ProblemList } from "../config-error.ts";
import type { OldForm } from "./old-form.ts";
import {
  inPlace,
  mapOf,
  pluginNames,
  textUnder,
  withEntry,
  withoutEntry,
  withParameters,
  withPlugin,
} from "./old-form.ts";

const FIELDS = ["queueDepthThreshold", "kvCacheUtilThreshold", "metricsStalenessThreshold"] as const;
const DETECTOR = "utilization-detector";

/**
 * Fields of the detector within `saturationDetector` (GIE 1.2 to 1.4), at the top or in `flowControl`: today the
 * parameters of the plugin that it names, utilization-detector when it names none.
 */
export const inlineSaturationDetector: OldForm = (root, problems) => {
  const moved = moveFrom(root, root, ["saturationDetector"], problems);
  const flowControl = childOf(moved, "flowControl");
  return flowControl?.kind === "map"
    ? moveFrom(moved, flowControl, ["flowControl", "saturationDetector"], problems)
    : moved;
};

function moveFrom(root: ConfigMap, parent: ConfigMap, path: ConfigPath, problems: ProblemList): ConfigMap {
  const section = childOf(parent, "saturationDetector");
  if (section?.kind !== "map") return root;
  const entries = section.entries.filter(({ key }) => FIELDS.some((field) => field === key));
  if (entries.length === 0) return root;
  const name = textUnder(section, "pluginRef") || DETECTOR;
  problems.old(
    entries[0].keyPlace,
    [...path, entries[0].key],
    `an older form: ${entries.map(({ key }) => key).join(", ")} ${entries.length > 1 ? "are parameters" : "is a parameter"} of the plugin ${name} today`,
  );
  const rest = withoutEntry(section, ...FIELDS);
  const left =
    parent === root && rest.entries.length === 0
      ? withoutEntry(root, "saturationDetector")
      : withSection(root, parent, rest);
  const given: ConfigMap = { kind: "map", entries, place: section.place, size: 1 + entries.length };
  if (pluginNames(left).has(name)) return withParameters(left, name, given);
  if (name !== DETECTOR) return left;
  return withPlugin(left, withEntry(mapOf({ type: DETECTOR }, section.place), "parameters", given));
}

function withSection(root: ConfigMap, parent: ConfigMap, section: ConfigMap): ConfigMap {
  const changed = inPlace(parent, "saturationDetector", section);
  return parent === root ? changed : inPlace(root, "flowControl", changed);
}

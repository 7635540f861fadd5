import type { PluginPoint } from "../core/plugin.ts";
import type { ConfigDocument } from "./config-document.ts";
import type { ConfigProblem } from "./config-error.ts";
import type { ConfigPath, Place } from "./config-node.ts";
import { childOf, pathText, placeOf } from "./config-node.ts";
import type { PluginEntry } from "./plugin-entry.ts";

/** Something that a config asks for, that is understood and validated, and that this release cannot serve with. */
export interface UnbuiltPart {
  /** `plugin type latency-scorer`, `feature gate flowControl` */
  readonly what: string;
  /** Path in the config: `plugins[2].type`. */
  readonly where: string;
  readonly place: Place;
}

/** What takes part in flow control alone. */
const POLICY_POINTS: ReadonlySet<PluginPoint> = new Set([
  "fairnessPolicy",
  "orderingPolicy",
  "usageLimitPolicy",
  "evictionPolicy",
]);

/** True for a plugin that only flow control asks: behind a closed gate it does nothing, built or not. */
export const isFlowControlPolicy = ({ definition }: PluginEntry): boolean =>
  definition.points.every((point) => POLICY_POINTS.has(point));

/** All that a config asks for and nothing here runs. The list shrinks to nothing as parts are built. */
export function unbuiltParts({ root, gates, dataLayer }: ConfigDocument, plugins: readonly PluginEntry[]) {
  const parts: UnbuiltPart[] = [];
  const add = (what: string, path: ConfigPath) =>
    parts.push({ what, where: pathText(path), place: placeOf(root, path) });
  for (const entry of plugins) {
    const { name, definition, params, path } = entry;
    for (const key of definition.unbuiltParams?.(params) ?? []) {
      add(`parameter ${key} of ${name}`, [...(path ?? ["plugins"]), "parameters", key]);
    }
    // Those that defaulting makes for flow control go without saying: the feature gate is named.
    const idle = isFlowControlPolicy(entry) && (!path || !gates.flowControl);
    if (definition.isBuilt !== false || idle) continue;
    const made = path ? "" : `, which the config needs as ${name}`;
    add(`plugin type ${definition.type}${made}`, path ? [...path, "type"] : ["plugins"]);
  }
  if (gates.flowControl) add("feature gate flowControl", gatePath(childOf(root, "featureGates")));
  if (dataLayer.peerDiscovery) add("peer discovery", ["dataLayer", "peerDiscovery"]);
  if (dataLayer.crossReplicaSyncerPluginRef !== "") {
    add("syncing across replicas", ["dataLayer", "crossReplicaSyncerPluginRef"]);
  }
  return parts;
}

/** The parts as errors of a config that is to be served with. */
export function unbuiltProblems(parts: readonly UnbuiltPart[]): ConfigProblem[] {
  return parts.map(({ what, where, place }) => ({
    place,
    path: where,
    text: `found ${what}, which this release does not build yet: warmpath check can plan it, nothing can serve with it`,
  }));
}

function gatePath(gates: ReturnType<typeof childOf>): ConfigPath {
  const items = gates?.kind === "list" ? gates.items : [];
  const at = items.findLastIndex(
    (item) => item.kind === "scalar" && typeof item.value === "string" && item.value.startsWith("flowControl"),
  );
  return at < 0 ? ["featureGates"] : ["featureGates", at];
}

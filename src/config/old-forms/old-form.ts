import type { ProblemList } from "../config-error.ts";
import type { ConfigMap, ConfigNode } from "../config-node.ts";

/**
 * An older way to write something: gives the document in today's form, with one warning that names it, and leaves
 * every other document as it is. Applied in order, before anything is read by a schema.
 */
export type OldForm = (root: ConfigMap, problems: ProblemList) => ConfigMap;

/** The map with a value under a key, at the place where the value stands. */
export function withEntry(map: ConfigMap, key: string, value: ConfigNode): ConfigMap {
  const entries = [...map.entries.filter((entry) => entry.key !== key), { key, keyPlace: value.place, value }];
  return { ...map, entries };
}

export function withoutEntry(map: ConfigMap, key: string): ConfigMap {
  return { ...map, entries: map.entries.filter((entry) => entry.key !== key) };
}

/** The map under a key, or a new empty one when there is none. Undefined when something else stands there. */
export function mapUnder(root: ConfigMap, key: string): ConfigMap | undefined {
  const entry = root.entries.findLast((candidate) => candidate.key === key);
  if (!entry || (entry.value.kind === "scalar" && entry.value.value === null)) {
    return { kind: "map", entries: [], place: root.place, size: 1 };
  }
  return entry.value.kind === "map" ? entry.value : undefined;
}

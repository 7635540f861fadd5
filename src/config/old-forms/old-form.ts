import type { ProblemList } from "../config-error.ts";
import type { ConfigMap, ConfigNode, ConfigPath, Place } from "../config-node.ts";
import { childOf } from "../config-node.ts";

/**
 * An older way to write something: gives the document in today's form, with one warning that names it, and leaves
 * every other document as it is. Applied in order, before anything is read by a schema.
 */
export type OldForm = (root: ConfigMap, problems: ProblemList) => ConfigMap;

/** An older way to write one entry of `plugins`. */
export type OldPlugin = (plugin: ConfigMap, path: ConfigPath, problems: ProblemList) => ConfigMap;

/** The map with a value under a key, at the place where the value stands. */
export function withEntry(map: ConfigMap, key: string, value: ConfigNode): ConfigMap {
  const entries = [...map.entries.filter((entry) => entry.key !== key), { key, keyPlace: value.place, value }];
  return { ...map, entries };
}

export function withoutEntry(map: ConfigMap, ...keys: readonly string[]): ConfigMap {
  return { ...map, entries: map.entries.filter(({ key }) => !keys.includes(key)) };
}

/** The map with one key named anew, in its place. */
export function renamed(map: ConfigMap, from: string, to: string): ConfigMap {
  return { ...map, entries: map.entries.map((entry) => (entry.key === from ? { ...entry, key: to } : entry)) };
}

/** The map under a key, or a new empty one when there is none. Undefined when something else stands there. */
export function mapUnder(root: ConfigMap, key: string): ConfigMap | undefined {
  const value = childOf(root, key);
  if (!value || isNothing(value)) return mapOf({}, root.place);
  return value.kind === "map" ? value : undefined;
}

export const isNothing = (node: ConfigNode): boolean => node.kind === "scalar" && node.value === null;

/** A new map, all of it at one place. */
export function mapOf(values: Readonly<Record<string, ConfigNode | string | number>>, place: Place): ConfigMap {
  const entries = Object.entries(values).map(([key, value]) => {
    const node = typeof value === "object" ? value : ({ kind: "scalar", value, place, size: 1 } as const);
    return { key, keyPlace: place, value: node };
  });
  return { kind: "map", entries, place, size: 1 + entries.length };
}

/** The text under a key; "" when there is none. */
export function textUnder(node: ConfigNode | undefined, key: string): string {
  const child = childOf(node, key);
  return child?.kind === "scalar" && typeof child.value === "string" ? child.value : "";
}

/** The number under a key; undefined when there is none. */
export function numberUnder(node: ConfigNode | undefined, key: string): number | undefined {
  const child = childOf(node, key);
  return child?.kind === "scalar" && typeof child.value === "number" ? child.value : undefined;
}

/** Names by which `plugins` are referred to. */
export function pluginNames(root: ConfigMap): ReadonlySet<string> {
  return new Set(pluginsOf(root).map((plugin) => textUnder(plugin, "name") || textUnder(plugin, "type")));
}

/** The entries of `plugins`. */
export function pluginsOf(root: ConfigMap): readonly ConfigNode[] {
  const plugins = childOf(root, "plugins");
  return plugins?.kind === "list" ? plugins.items : [];
}

/** The document with each entry of `plugins` replaced. */
export function mapPlugins(root: ConfigMap, replace: (plugin: ConfigMap, path: ConfigPath) => ConfigMap): ConfigMap {
  const plugins = childOf(root, "plugins");
  if (plugins?.kind !== "list") return root;
  const items = plugins.items.map((item, i) => (item.kind === "map" ? replace(item, ["plugins", i]) : item));
  if (items.every((item, i) => item === plugins.items[i])) return root;
  return inPlace(root, "plugins", { ...plugins, items });
}

/** The document with one more plugin, which an older form stands for. */
export function withPlugin(root: ConfigMap, plugin: ConfigMap): ConfigMap {
  const plugins = childOf(root, "plugins");
  const made = { ...plugin, made: true } as const;
  if (plugins?.kind === "list") return inPlace(root, "plugins", { ...plugins, items: [...plugins.items, made] });
  if (plugins && !isNothing(plugins)) return root;
  return withEntry(root, "plugins", { kind: "list", items: [made], place: plugin.place, size: 1 });
}

/** The document with the parameters of a plugin of this name completed: what stands there already counts. */
export function withParameters(root: ConfigMap, name: string, given: ConfigMap): ConfigMap {
  return mapPlugins(root, (plugin) => {
    if ((textUnder(plugin, "name") || textUnder(plugin, "type")) !== name) return plugin;
    const parameters = mapUnder(plugin, "parameters");
    if (!parameters) return plugin;
    const more = given.entries.filter(({ key }) => !childOf(parameters, key));
    return inPlace(plugin, "parameters", { ...parameters, entries: [...parameters.entries, ...more] });
  });
}

/** The map with the value of a key replaced where it stands; appended when there is none. */
export function inPlace(map: ConfigMap, key: string, value: ConfigNode): ConfigMap {
  if (!map.entries.some((entry) => entry.key === key)) return withEntry(map, key, value);
  return { ...map, entries: map.entries.map((entry) => (entry.key === key ? { ...entry, value } : entry)) };
}

/** The old form of the whole document that an old form of a plugin type is; `types` are the types that it is about. */
export function ofPlugins(types: readonly string[], old: OldPlugin): OldForm {
  return (root, problems) =>
    mapPlugins(root, (plugin, path) =>
      types.includes(textUnder(plugin, "type")) ? old(plugin, path, problems) : plugin,
    );
}

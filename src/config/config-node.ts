/** Where something stands in a config text; both from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A config text as a tree that knows where each part stands. Aliases are resolved, so parts may be shared. */
export type ConfigNode = ConfigMap | ConfigList | ConfigScalar;

interface Node {
  readonly place: Place;
  /** Nodes in it, itself included, shared ones counted each time. */
  readonly size: number;
}
export interface ConfigMap extends Node {
  readonly kind: "map";
  readonly entries: readonly ConfigEntry[];
  /** True for an entry of `plugins` that nobody wrote: an older form stands for it. */
  readonly made?: true;
}
interface ConfigList extends Node {
  readonly kind: "list";
  readonly items: readonly ConfigNode[];
}
interface ConfigScalar extends Node {
  readonly kind: "scalar";
  readonly value: string | number | boolean | null;
}
export interface ConfigEntry {
  readonly key: string;
  readonly keyPlace: Place;
  readonly value: ConfigNode;
}

/** Way to a part of a document, from its top. */
export type ConfigPath = readonly (string | number)[];

/** The part under a key of a map, or at an index of a list; undefined when there is none. Of equal keys the last. */
export function childOf(node: ConfigNode | undefined, step: string | number): ConfigNode | undefined {
  if (node?.kind === "list") return typeof step === "number" ? node.items[step] : undefined;
  if (node?.kind === "map") return node.entries.findLast(({ key }) => key === step)?.value;
  return undefined;
}

/** Where a path stands; a part that is missing stands where its nearest ancestor does. */
export function placeOf(root: ConfigNode, path: ConfigPath): Place {
  let node = root;
  for (const step of path) {
    const child = childOf(node, step);
    if (!child) return node.place;
    node = child;
  }
  return node.place;
}

/** `plugins[0].parameters.blockSize` */
export function pathText(path: ConfigPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else text += text === "" ? step : `.${step}`;
  }
  return text;
}

const SHOWN_CHARS_MAX = 60;

/** What was found, in words; undefined is "nothing". */
export function describeNode(node: ConfigNode | undefined): string {
  if (!node || (node.kind === "scalar" && node.value === null)) return "nothing";
  if (node.kind !== "scalar") return node.kind === "map" ? "a map" : "a list";
  const { value } = node;
  if (typeof value !== "string") return String(value);
  return JSON.stringify(value.length > SHOWN_CHARS_MAX ? `${value.slice(0, SHOWN_CHARS_MAX)}...` : value);
}

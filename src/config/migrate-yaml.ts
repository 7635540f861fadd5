import type { Document, Node, Pair } from "yaml";
import { isMap, isPair, isScalar, isSeq, Scalar, visit, YAMLMap, YAMLSeq } from "yaml";
import type { ConfigEntry, ConfigMap, ConfigNode } from "./config-node.ts";

type YamlPair = Pair<Node, Node | null>;

/** A pair or item that went, and what was said about it. */
interface Removed {
  readonly from: Node;
  /** The key or item that followed it and stays; undefined when it was the last. */
  readonly next: Node | undefined;
  readonly comments: readonly string[];
}

/**
 * Changes a YAML document so that it says `after` where it said `before`. What stays keeps its place and its comments,
 * what moves takes them along, and comments on what goes stay where it was. `before` is what the document was read to;
 * parts of `after` that stay are the same objects.
 */
export function rewriteYaml(document: Document.Parsed, before: ConfigMap, after: ConfigMap): void {
  const contents = document.contents as Node;
  const rewriter = new Rewriter(before, contents);
  document.contents = rewriter.apply(after, before, contents) as typeof document.contents;
  rewriter.keepComments(document);
}

/** Puts a copy of what it names in the place of each alias, and drops the anchors. */
export function writeOutAliases(document: Document.Parsed): void {
  visit(document, {
    Alias: (_, alias) => alias.resolve(document)?.clone() as Node | undefined,
  });
  visit(document, {
    Value: (_, node) => {
      delete node.anchor;
    },
  });
}

class Rewriter {
  readonly #sources = new Map<ConfigNode, Node>();
  readonly #removed: Removed[] = [];

  constructor(before: ConfigNode, contents: Node) {
    this.#remember(before, contents);
  }

  /** What stands for `after` where `yaml` stood for `before`. */
  apply(after: ConfigNode, before: ConfigNode, yaml: Node | null): Node | null {
    if (after === before) return yaml;
    const moved = this.#sources.get(after);
    if (moved) return moved;
    if (after.kind === "map" && before.kind === "map" && isMap<Node, Node | null>(yaml)) {
      this.#applyMap(after, before, yaml);
      return yaml;
    }
    if (after.kind === "list" && before.kind === "list" && isSeq<Node>(yaml)) {
      this.#applyList(after.items, before.items, yaml);
      return yaml;
    }
    if (after.kind === "scalar" && isScalar(yaml)) {
      return replaced(yaml, after.value);
    }
    return this.#create(after);
  }

  /** Puts the comments of pairs that went, and that stand nowhere else now, before what follows them. */
  keepComments(document: Document.Parsed): void {
    const present = new Set(commentsIn(document.contents));
    for (const { from, next, comments } of this.#removed.toReversed()) {
      const lost = comments.filter((comment) => !present.has(comment)).join("\n");
      if (lost === "") continue;
      if (next) next.commentBefore = joined(lost, next.commentBefore);
      else from.comment = joined(from.comment, lost);
    }
  }

  #remember(config: ConfigNode, yaml: Node | null): void {
    if (!yaml || this.#sources.has(config)) return;
    if (isMap<Node, Node | null>(yaml) && config.kind === "map") {
      for (const pair of yaml.items) {
        const entry = entryOf(config.entries, pair);
        if (entry) this.#remember(entry.value, pair.value);
      }
    } else if (isSeq<Node>(yaml) && config.kind === "list") {
      for (const [i, item] of config.items.entries()) this.#remember(item, yaml.items[i]);
    } else if (!isScalar(yaml)) {
      return;
    }
    this.#sources.set(config, yaml);
  }

  #applyMap(after: ConfigMap, before: ConfigMap, yaml: YAMLMap<Node, Node | null>): void {
    const left = new Set(after.entries);
    const gone: YamlPair[] = [];
    const old = [...(yaml.items as YamlPair[])];
    for (const pair of old) {
      const was = entryOf(before.entries, pair);
      const now = was && (after.entries.find(({ key }) => key === was.key) ?? renamedTo(was, before, after));
      if (!was || !now || !left.delete(now)) {
        gone.push(pair);
        continue;
      }
      if (now.key !== was.key) (pair.key as Scalar).value = now.key;
      pair.value = this.apply(now.value, was.value, pair.value);
    }
    yaml.items = old.filter((pair) => !gone.includes(pair));
    for (const { key, value } of left) yaml.add({ key: new Scalar(key), value: this.#create(value) });
    for (const pair of gone) {
      const next = old.slice(old.indexOf(pair) + 1).find((other) => !gone.includes(other));
      this.#removed.push({ from: yaml, next: next?.key, comments: commentsIn(pair) });
    }
  }

  #applyList(after: readonly ConfigNode[], before: readonly ConfigNode[], yaml: YAMLSeq<Node>): void {
    const old = [...yaml.items];
    const kept = new Set<Node>();
    yaml.items = after.map((item, i) => {
      const same = before.indexOf(item);
      const was = same < 0 && !after.includes(before[i]) ? i : same;
      if (was < 0 || !before[was]) return this.#create(item);
      kept.add(old[was]);
      return same < 0 ? (this.apply(item, before[was], old[was]) as Node) : old[same];
    });
    for (const [i, item] of old.entries()) {
      if (kept.has(item)) continue;
      const next = old.slice(i + 1).find((other) => kept.has(other));
      this.#removed.push({ from: yaml, next, comments: commentsIn(item) });
    }
  }

  #create(config: ConfigNode): Node {
    const source = this.#sources.get(config);
    if (source) return source;
    if (config.kind === "scalar") return new Scalar(config.value);
    if (config.kind === "list") {
      const list = new YAMLSeq<Node>();
      list.items = config.items.map((item) => this.#create(item));
      return list;
    }
    const map = new YAMLMap<Node, Node | null>();
    for (const { key, value } of config.entries) map.add({ key: new Scalar(key), value: this.#create(value) });
    return map;
  }
}

/** A scalar in the place of another, with its comments; the other one may still move elsewhere. */
function replaced(old: Scalar, value: unknown): Scalar {
  const scalar = new Scalar(value);
  if (old.type && typeof value === "string") scalar.type = old.type;
  for (const key of ["comment", "commentBefore", "spaceBefore"] as const) {
    if (old[key] !== undefined) Object.assign(scalar, { [key]: old[key] });
    delete old[key];
  }
  return scalar;
}

const keyOf = ({ key }: YamlPair): string => (isScalar(key) ? (key.source ?? String(key.value)) : "");

/** The entry that a pair was read to; none for a merge key. */
const entryOf = (entries: readonly ConfigEntry[], pair: YamlPair): ConfigEntry | undefined =>
  isScalar(pair.key) && typeof pair.key.value === "symbol" ? undefined : entries.find(({ key }) => key === keyOf(pair));

/** The entry that an old one is now under another key: the same value, or the one that took its place. */
function renamedTo(was: ConfigEntry, before: ConfigMap, after: ConfigMap): ConfigEntry | undefined {
  const isNew = ({ key }: ConfigEntry): boolean => !before.entries.some((entry) => entry.key === key);
  return after.entries.find((entry) => isNew(entry) && entry.value === was.value);
}

/** Every comment in a part of a document, in order. */
function commentsIn(part: Node | YamlPair | null): string[] {
  const comments: string[] = [];
  const take = (node: { comment?: string | null; commentBefore?: string | null }): void => {
    for (const comment of [node.commentBefore, node.comment]) if (comment) comments.push(comment);
  };
  if (isPair(part)) {
    const { key, value } = part;
    return [...commentsIn(key), ...commentsIn(value)];
  }
  if (part) visit(part, { Node: (_, node) => take(node) });
  return comments;
}

const joined = (...comments: readonly (string | null | undefined)[]): string => comments.filter(Boolean).join("\n");

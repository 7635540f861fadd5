import type { CST, Document, DocumentOptions, Node, ParseOptions, SchemaOptions, YAMLMap } from "yaml";
import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, Parser } from "yaml";
import type { ProblemList } from "./config-error.ts";
import type { ConfigEntry, ConfigMap, ConfigNode, Place } from "./config-node.ts";

/** Longest config text; a ConfigMap holds no more. */
export const CONFIG_CHARS_MAX = 1_048_576;
/** Most parts of a config after its aliases are resolved: a few lines of aliases can name billions. */
const CONFIG_NODES_MAX = 100_000;
/** Most tokens that are open at once; a level of nesting has one or two. */
const STACK_MAX = 128;

/** YAML as Go's library reads it: version 1.1, in parts. */
export const YAML_OPTIONS: DocumentOptions & SchemaOptions & ParseOptions = {
  version: "1.1",
  prettyErrors: false,
  uniqueKeys: false,
  // Go's library knows no sexagesimal numbers, and what it makes of dates and sets is text.
  customTags: (tags) =>
    tags.filter(
      (tag) => typeof tag !== "string" && !/:(timestamp|binary|omap|pairs|set)$/.test(tag.tag) && tag.format !== "TIME",
    ),
};

const TOP: Place = { line: 1, column: 1 };

/**
 * Reads a config text, YAML or JSON, into a tree. YAML is read as Go's library does (version 1.1: `yes` is true; the
 * first document counts, merge keys work), a text that begins with a brace must be JSON. Undefined when the text is
 * empty or has only comments, and when it is broken: then `problems` says how.
 */
export function readConfig(text: string, problems: ProblemList): ConfigMap | undefined {
  if (text.length > CONFIG_CHARS_MAX) {
    problems.at(TOP, [], `found ${text.length} characters, expected at most ${CONFIG_CHARS_MAX}`);
    return undefined;
  }
  if (text.trimStart().startsWith("{") && !isJson(text, problems)) return undefined;
  const lines = new LineCounter();
  const document = compose(text, lines, problems);
  const contents = document?.contents;
  if (!document || !contents || (isScalar(contents) && contents.value === null)) return undefined;
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  for (const { message, pos } of document.errors) {
    const why = message.charAt(0).toLowerCase() + message.slice(1);
    problems.at(placeAt(pos[0]), [], `found something else, expected YAML: ${why}`);
  }
  if (document.errors.length > 0) return undefined;
  const root = new TreeReader(placeAt, problems).read(contents, []);
  if (root && root.kind !== "map") problems.found(root, [], "a map with apiVersion, kind, plugins ...");
  return root?.kind === "map" ? root : undefined;
}

function compose(text: string, lines: LineCounter, problems: ProblemList): Document.Parsed | undefined {
  const composer = new Composer(YAML_OPTIONS);
  const deep = (offset: number): void => {
    const { line, col } = lines.linePos(offset);
    problems.at({ line, column: col }, [], "found lists and maps nested too deep, expected a config");
  };
  for (const document of composer.compose(tokensOf(text, lines, deep))) {
    return problems.problems.length === 0 ? document : undefined;
  }
  return undefined;
}

/**
 * The tokens of a text; ends early, after calling `deep`, where it is nested too deep. What reads the tokens is
 * recursive, and an overflow of the stack can end the whole process.
 */
function* tokensOf(text: string, lines: LineCounter, deep: (offset: number) => void): Generator<CST.Token, void> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length <= STACK_MAX) continue;
    deep(parser.offset);
    return;
  }
  yield* parser.end();
}

function isJson(text: string, problems: ProblemList): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const offset = Number(/position (\d+)/.exec(String(error))?.[1] ?? text.length);
    const before = text.slice(0, offset).split("\n");
    const place = { line: before.length, column: before.at(-1)!.length + 1 };
    const found = offset < text.length ? JSON.stringify(text[offset]) : "the end of the text";
    problems.at(place, [], `found ${found}, expected what JSON allows there, as the text begins with a brace`);
    return false;
  }
}

class TreeReader {
  readonly #placeAt: (offset: number) => Place;
  readonly #problems: ProblemList;
  readonly #anchors = new Map<string, ConfigNode>();
  #full = false;

  constructor(placeAt: (offset: number) => Place, problems: ProblemList) {
    this.#placeAt = placeAt;
    this.#problems = problems;
  }

  /** Undefined when there are too many nodes. */
  read(node: Node, path: readonly (string | number)[]): ConfigNode | undefined {
    const place = this.#placeOf(node);
    const made = this.#make(node, place, path);
    if (made && made.size > CONFIG_NODES_MAX) {
      if (!this.#full) this.#problems.at(place, path, `found over ${CONFIG_NODES_MAX} values, expected fewer`);
      this.#full = true;
      return undefined;
    }
    if (made && "anchor" in node && typeof node.anchor === "string") this.#anchors.set(node.anchor, made);
    return made;
  }

  #make(node: Node, place: Place, path: readonly (string | number)[]): ConfigNode | undefined {
    if (isAlias(node)) {
      const aliased = this.#anchors.get(node.source);
      if (!aliased) this.#problems.at(place, path, `found *${node.source}, expected an anchor that stands before it`);
      return aliased;
    }
    if (isMap<Node, Node | null>(node)) return this.#map(node, place, path);
    if (isSeq<Node>(node)) {
      const items: ConfigNode[] = [];
      for (const [i, item] of node.items.entries()) {
        const read = this.read(item, [...path, i]);
        if (!read) return undefined;
        items.push(read);
      }
      return { kind: "list", items, place, size: sizeOf(items) };
    }
    return { kind: "scalar", value: scalarValue(isScalar(node) ? node.value : null), place, size: 1 };
  }

  #map(node: YAMLMap<Node, Node | null>, place: Place, path: readonly (string | number)[]): ConfigMap | undefined {
    const entries: ConfigEntry[] = [];
    const merged: ConfigEntry[] = [];
    const seen = new Set<string>();
    for (const { key, value } of node.items) {
      const keyPlace = this.#placeOf(key);
      const name = keyText(key);
      if (name === undefined) {
        this.#problems.at(
          keyPlace,
          path,
          "found a map or list as a key, expected a name; is it a template not filled in?",
        );
        continue;
      }
      if (seen.has(name))
        this.#problems.at(keyPlace, [...path, name], `found a second "${name}", expected each key once`);
      seen.add(name);
      const read = value ? this.read(value, [...path, name]) : nothing(keyPlace);
      if (!read) return undefined;
      if (isScalar(key) && typeof key.value === "symbol") merged.push(...this.#merge(read, path));
      else entries.push({ key: name, keyPlace, value: read });
    }
    for (const entry of merged) if (!entries.some(({ key }) => key === entry.key)) entries.push(entry);
    return { kind: "map", entries, place, size: sizeOf(entries.map(({ value }) => value)) };
  }

  #merge(value: ConfigNode, path: readonly (string | number)[]): readonly ConfigEntry[] {
    const maps = value.kind === "list" ? value.items : [value];
    return maps.flatMap((map) => {
      if (map.kind === "map") return map.entries;
      this.#problems.at(map.place, [...path, "<<"], "found something to merge that is no map, expected a map");
      return [];
    });
  }

  #placeOf(node: Node): Place {
    return this.#placeAt(node.range?.[0] ?? 0);
  }
}

const nothing = (place: Place): ConfigNode => ({ kind: "scalar", value: null, place, size: 1 });

const sizeOf = (parts: readonly ConfigNode[]): number => parts.reduce((sum, { size }) => sum + size, 1);

function scalarValue(value: unknown): string | number | boolean | null {
  if (typeof value === "bigint") return Number(value);
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
}

function keyText(key: Node): string | undefined {
  if (!isScalar(key)) return undefined;
  return key.source ?? String(key.value);
}

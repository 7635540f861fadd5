import type { z } from "zod";
import type { ProblemList } from "./config-error.ts";
import { hint } from "./config-error.ts";
import type { ConfigMap, ConfigNode, ConfigPath } from "./config-node.ts";
import { describeNode } from "./config-node.ts";

export interface DecodeOptions {
  /** Keys match without regard to case, as in plugins' parameters. */
  readonly foldCase?: boolean;
}

type Schema = z.core.$ZodType;
type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

/**
 * Reads a part of a config by a schema. Strict: unknown keys are problems, with the nearest known one. Null counts as
 * absent, as in Go. Undefined when there were problems; they are all in `problems`, where they stand.
 */
export function decode<T>(
  schema: z.ZodType<T>,
  node: ConfigNode,
  path: ConfigPath,
  problems: ProblemList,
  options: DecodeOptions = {},
): T | undefined {
  const before = problems.problems.length;
  const decoder = new Decoder(problems, options);
  const result = schema.safeParse(decoder.plain(schema, node, path));
  for (const issue of result.error?.issues ?? []) decoder.tell(issue, node, path);
  return problems.problems.length > before ? undefined : result.data;
}

class Decoder {
  readonly #problems: ProblemList;
  readonly #options: DecodeOptions;
  /** Nodes by path, keys as the schema spells them. */
  readonly #nodes = new Map<string, ConfigNode>();

  constructor(problems: ProblemList, options: DecodeOptions) {
    this.#problems = problems;
    this.#options = options;
  }

  plain(schema: Schema | undefined, node: ConfigNode, path: ConfigPath): Plain {
    this.#nodes.set(JSON.stringify(path), node);
    if (node.kind === "scalar") return node.value;
    const definition = schema && definitionOf(schema);
    if (node.kind === "map") return this.#map(definition, node, path);
    const element = definition?.type === "array" ? definition.element : undefined;
    return node.items.map((item, i) => this.plain(element, item, [...path, i]));
  }

  tell(issue: z.core.$ZodIssue, root: ConfigNode, rootPath: ConfigPath): void {
    const path: ConfigPath = [...rootPath, ...(issue.path as (string | number)[])];
    let place = root.place;
    for (let length = path.length; length >= rootPath.length; length--) {
      const node = this.#nodes.get(JSON.stringify(path.slice(0, length)));
      if (!node) continue;
      place = node.place;
      break;
    }
    const found = describeNode(this.#nodes.get(JSON.stringify(path)));
    this.#problems.at(place, path, `found ${found}, expected ${expectation(issue)}`);
  }

  #map(definition: z.core.$ZodTypes["_zod"]["def"] | undefined, node: ConfigMap, path: ConfigPath): Plain {
    const plain = Object.create(null) as Record<string, Plain>;
    const shape = definition?.type === "object" ? definition.shape : undefined;
    const strict = definition?.type === "object" && definition.catchall?._zod.def.type === "never";
    for (const { key, keyPlace, value } of node.entries) {
      const name = shape ? this.#known(key, shape) : key;
      if (name === undefined && strict) {
        this.#unknownKey(key, Object.keys(shape!), keyPlace, path);
        continue;
      }
      if (value.kind === "scalar" && value.value === null) continue;
      plain[name ?? key] = this.plain(shape?.[name ?? key], value, [...path, name ?? key]);
    }
    return plain;
  }

  #known(key: string, shape: Readonly<Record<string, unknown>>): string | undefined {
    if (Object.hasOwn(shape, key)) return key;
    if (!this.#options.foldCase) return undefined;
    return Object.keys(shape).find((name) => name.toLowerCase() === key.toLowerCase());
  }

  #unknownKey(key: string, known: readonly string[], place: ConfigMap["place"], path: ConfigPath): void {
    const expected = known.length === 0 ? "no keys here" : `${known.length > 1 ? "one of " : ""}${known.join(", ")}`;
    this.#problems.at(place, [...path, key], `found an unknown key, expected ${expected}${hint(key, known)}`);
  }
}

/** The definition that tells what is inside, without what wraps it. */
function definitionOf(schema: Schema): z.core.$ZodTypes["_zod"]["def"] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case "optional":
    case "nullable":
    case "default":
    case "prefault":
    case "readonly":
      return definitionOf(def.innerType);
    case "pipe":
      return definitionOf(def.in);
    default:
      return def;
  }
}

const KIND: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "a text",
  boolean: "true or false",
  array: "a list",
  object: "a map",
};

/** What a schema expected: its own words where it has some, for it writes them as "expected ..." goes on. */
function expectation(issue: z.core.$ZodIssue): string {
  if (!/^(Too|Invalid) /.test(issue.message)) return issue.message;
  switch (issue.code) {
    case "invalid_type":
      return KIND[issue.expected] ?? issue.expected;
    case "too_small":
      return `${issue.inclusive ? "at least" : "more than"} ${issue.minimum}${unitOf(issue.origin)}`;
    case "too_big":
      return `${issue.inclusive ? "at most" : "less than"} ${issue.maximum}${unitOf(issue.origin)}`;
    case "invalid_union":
      return issue.errors.flatMap(([first]) => (first ? [expectation(first)] : [])).join(" or ");
    case "invalid_value":
      return `${issue.values.length > 1 ? "one of " : ""}${issue.values.map((value) => JSON.stringify(value)).join(", ")}`;
    default:
      return issue.message;
  }
}

const unitOf = (origin: string): string => (origin === "array" ? " entries" : origin === "string" ? " characters" : "");

import type { PluginDefinition, PluginPoint } from "../core/plugin.ts";
import { pluginType, pluginTypeNames } from "../plugins/list.ts";
import type { ConfigDocument, PluginSpec } from "./config-document.ts";
import { hint, ProblemList } from "./config-error.ts";
import type { ConfigMap, ConfigPath } from "./config-node.ts";
import { placeOf } from "./config-node.ts";
import { decode } from "./decode.ts";
import { RETIRED_TYPES } from "./old-forms/retired-types.ts";

/** Older names that the recorded stock release knows, too. */
const STOCK_ALIASES: ReadonlySet<string> = new Set(["tokenizer", "by-label", "by-label-selector"]);

/** A plugin of a config: a name, its type, its parameters as the type's schema gave them. */
export interface PluginEntry {
  readonly name: string;
  readonly definition: PluginDefinition;
  readonly params: unknown;
  /** Where the config declares it; undefined when defaulting made it. */
  readonly path: ConfigPath | undefined;
  /** True when it is declared by an older form that stands for it, not as a plugin. */
  readonly made?: boolean;
}

/** The plugins of a config while it is put together: those declared, in order, then those that defaulting makes. */
export class PluginTable {
  readonly entries: PluginEntry[] = [];
  /** False when an entry is missing, since its type or its parameters are wrong: then what follows from it is unknown. */
  complete = true;
  readonly #root: ConfigMap;
  readonly #problems: ProblemList;
  readonly #byName = new Map<string, PluginEntry | undefined>();

  constructor(document: ConfigDocument, problems: ProblemList, allowsExperimental: boolean) {
    this.#root = document.root;
    this.#problems = problems;
    for (const spec of document.plugins) this.#declare(spec, allowsExperimental);
  }

  /** True also for one that is declared, but wrongly. */
  has(name: string): boolean {
    return this.#byName.has(name);
  }

  get(name: string): PluginEntry | undefined {
    return this.#byName.get(name);
  }

  names(): Iterable<string> {
    return this.#byName.keys();
  }

  /** Entries that take part at a point, in order. */
  at(...points: readonly PluginPoint[]): PluginEntry[] {
    return this.entries.filter(({ definition }) => points.some((point) => definition.points.includes(point)));
  }

  /** Makes sure that there is a plugin named by its type, with default parameters. */
  inject(type: string): void {
    const taken = this.#byName.get(type);
    if (taken && taken.definition.type !== type && taken.path) {
      const expected = `another name, as a default plugin of type ${type} needs this one`;
      this.#problems.found(this.#root, [...taken.path, "name"], expected);
    }
    if (this.has(type)) return;
    const definition = pluginType(type)!;
    this.#add({ name: type, definition, params: definition.params.parse({}), path: undefined });
  }

  #add(entry: PluginEntry): void {
    this.entries.push(entry);
    this.#byName.set(entry.name, entry);
  }

  #declare(spec: PluginSpec, allowsExperimental: boolean): void {
    const { name, path, made } = spec;
    const problem = (key: string, text: string) =>
      this.#problems.at(placeOf(this.#root, [...path, key]), [...path, key], text);
    const definition = this.#typeOf(spec, problem);
    const params = definition && this.#paramsOf(spec, definition);
    if (definition?.stability === "alpha" && !allowsExperimental) {
      problem("type", `found "${spec.type}", which is alpha: expected the flag --allow-experimental-plugins with it`);
    }
    if (this.has(name) && name !== "") {
      problem("name", `found a second plugin named "${name}", expected each name once`);
    } else if (definition && params !== undefined && !spec.broken) {
      this.#add({ name, definition, params, path, ...(made && { made }) });
      const where = [...path, "parameters"];
      for (const text of definition.warnings?.(params) ?? [])
        this.#problems.warn(placeOf(this.#root, where), where, text);
      return;
    } else if (name !== "") {
      this.#byName.set(name, undefined);
    }
    this.complete = false;
  }

  #typeOf({ type, path, broken }: PluginSpec, problem: (key: string, text: string) => void) {
    const definition = pluginType(type);
    if (type === "") {
      if (!broken) problem("type", "found nothing, expected a plugin type");
    } else if (Object.hasOwn(RETIRED_TYPES, type)) {
      problem("type", `found "${type}", ${RETIRED_TYPES[type]}`);
    } else if (!definition) {
      problem("type", `found "${type}", expected a plugin type that exists${hint(type, pluginTypeNames())}`);
    } else if (definition.type !== type) {
      const where = [...path, "type"];
      const text = `an older name of ${definition.type}`;
      if (STOCK_ALIASES.has(type)) this.#problems.warn(placeOf(this.#root, where), where, text);
      else this.#problems.old(placeOf(this.#root, where), where, text);
    } else if (definition.gone !== undefined) {
      const where = [...path, "type"];
      this.#problems.old(placeOf(this.#root, where), where, definition.gone);
    } else if (definition.stability === "deprecated") {
      const where = [...path, "type"];
      const text = definition.replacedBy ? `a type that gives way to ${definition.replacedBy}` : "a type that will go";
      this.#problems.warn(placeOf(this.#root, where), where, text);
    }
    return definition;
  }

  #paramsOf({ parameters, path }: PluginSpec, definition: PluginDefinition): unknown {
    const given = parameters && !(parameters.kind === "scalar" && parameters.value === null);
    const place = placeOf(this.#root, path);
    const node =
      given && !definition.ignoresParams ? parameters : ({ kind: "map", entries: [], place, size: 1 } as const);
    const where = [...path, "parameters"];
    const parsed = decode(definition.params, node, where, this.#problems, { foldCase: true });
    if (parsed === undefined || !definition.stockParams) return parsed;
    const stock = new ProblemList();
    decode(definition.stockParams, node, where, stock, { foldCase: true });
    for (const at of stock.problems)
      this.#problems.old(at.place, [at.path], "what the recorded stock release does not take");
    return parsed;
  }
}

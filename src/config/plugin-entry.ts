import type { PluginDefinition, PluginPoint } from "../core/plugin.ts";
import { UNBUILT_TYPES } from "../plugins/known-types.ts";
import { pluginType, pluginTypeNames } from "../plugins/list.ts";
import type { ConfigDocument, PluginSpec } from "./config-document.ts";
import type { ProblemList } from "./config-error.ts";
import { hint } from "./config-error.ts";
import type { ConfigMap, ConfigPath } from "./config-node.ts";
import { placeOf } from "./config-node.ts";
import { decode } from "./decode.ts";

/** Older names that the recorded stock release knows, too. */
const STOCK_ALIASES: readonly string[] = ["tokenizer", "by-label", "by-label-selector"];

/** A plugin of a config: a name, its type, its parameters as the type's schema gave them. */
export interface PluginEntry {
  readonly name: string;
  readonly definition: PluginDefinition;
  readonly params: unknown;
  /** Where the config declares it; undefined when defaulting made it. */
  readonly path: ConfigPath | undefined;
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
    const { name, path } = spec;
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
      this.#add({ name, definition, params, path });
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
    } else if (type in UNBUILT_TYPES) {
      problem("type", `found "${type}", which this release does not build yet, expected another type`);
    } else if (!definition) {
      const known = [...pluginTypeNames(), ...Object.keys(UNBUILT_TYPES)];
      problem("type", `found "${type}", expected a plugin type that exists${hint(type, known)}`);
    } else if (definition.type !== type) {
      const where = [...path, "type"];
      const text = `an older name of ${definition.type}`;
      if (STOCK_ALIASES.includes(type)) this.#problems.warn(placeOf(this.#root, where), where, text);
      else this.#problems.old(placeOf(this.#root, where), where, text);
    } else if (definition.stability === "deprecated") {
      this.#problems.warn(placeOf(this.#root, [...path, "type"]), [...path, "type"], "a type that will go");
    }
    return definition;
  }

  #paramsOf({ parameters, path }: PluginSpec, definition: PluginDefinition): unknown {
    const given = parameters && !(parameters.kind === "scalar" && parameters.value === null);
    const place = placeOf(this.#root, path);
    const node =
      given && !definition.ignoresParams ? parameters : ({ kind: "map", entries: [], place, size: 1 } as const);
    return decode(definition.params, node, [...path, "parameters"], this.#problems, { foldCase: true });
  }
}

import type { PluginPoint } from "../core/plugin.ts";
import type { ConfigDocument } from "./config-document.ts";
import type { ProblemList } from "./config-error.ts";
import { hint } from "./config-error.ts";
import type { ConfigMap, ConfigPath } from "./config-node.ts";
import { placeOf } from "./config-node.ts";
import type { PluginEntry, PluginTable } from "./plugin-entry.ts";
import { topologicalOrder } from "./topological-order.ts";

const POINT_TEXT: Partial<Record<PluginPoint, string>> = {
  filter: "a filter",
  parser: "a parser",
  saturationDetector: "a saturation detector",
  dataSource: "a data source",
  extractor: "an extractor",
  decider: "a decider",
  discovery: "an endpoint discovery",
  fairnessPolicy: "a fairness policy",
  orderingPolicy: "an ordering policy",
  usageLimitPolicy: "a usage limit policy",
};

/** Looks up what references name, with a problem for each that names nothing or the wrong thing. */
export class References {
  readonly #root: ConfigMap;
  readonly #table: PluginTable;
  readonly #problems: ProblemList;

  constructor(root: ConfigMap, table: PluginTable, problems: ProblemList) {
    this.#root = root;
    this.#table = table;
    this.#problems = problems;
  }

  /** The plugin of a name, when there is one that takes part at `point` (any plugin when none is given). */
  find(name: string, path: ConfigPath, point?: PluginPoint): PluginEntry | undefined {
    const entry = this.#table.get(name);
    if (!this.#table.has(name)) this.#undefined(name, path);
    else if (entry && point && !entry.definition.points.includes(point)) {
      this.#tell(path, `found "${name}" of type ${entry.definition.type}, expected ${POINT_TEXT[point]}`);
      return undefined;
    }
    return entry;
  }

  #undefined(name: string, path: ConfigPath): void {
    if (name === "") this.#tell(path, "found nothing, expected the name of a plugin");
    else this.#tell(path, `found "${name}", expected a plugin that is declared${hint(name, this.#table.names())}`);
  }

  #tell(path: ConfigPath, text: string): void {
    this.#problems.at(placeOf(this.#root, path), path, text);
  }
}

/** Looks up the plugins that others name in their parameters; none may name itself, be it through others. */
export function checkReferences(document: ConfigDocument, table: PluginTable, problems: ProblemList): void {
  const references = new References(document.root, table, problems);
  const { circle } = topologicalOrder(table.entries, ({ definition, params }) =>
    (definition.references?.(params) ?? []).flatMap(({ name }) => table.get(name) ?? []),
  );
  if (circle) {
    const text = `found plugins that name each other (${circle.map(({ name }) => name).join(", ")}), expected an order`;
    problems.at(placeOf(document.root, ["plugins"]), ["plugins"], text);
  }
  for (const { definition, params, path = ["plugins"] } of table.entries) {
    for (const { name, path: steps, point } of definition.references?.(params) ?? []) {
      references.find(name, [...path, "parameters", ...steps], point);
    }
  }
}

/** The parsers, in the order in which they are asked. */
export function readParsers(document: ConfigDocument, table: PluginTable, problems: ProblemList): PluginEntry[] {
  const references = new References(document.root, table, problems);
  return document.requestHandler.parsers.flatMap(({ pluginRef }, i) => {
    return references.find(pluginRef, ["requestHandler", "parsers", i, "pluginRef"], "parser") ?? [];
  });
}

export function readDetector(document: ConfigDocument, table: PluginTable, problems: ProblemList) {
  const name = document.flowControl.saturationDetector!.pluginRef;
  const path = ["flowControl", "saturationDetector", "pluginRef"];
  return new References(document.root, table, problems).find(name, path, "saturationDetector");
}

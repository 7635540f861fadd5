import type { DataKey } from "../core/data-key.ts";
import type { PluginData } from "../core/plugin.ts";
import type { ConfigDocument } from "./config-document.ts";
import type { ProblemList } from "./config-error.ts";
import { placeOf } from "./config-node.ts";
import type { PluginEntry, PluginTable } from "./plugin-entry.ts";
import { topologicalOrder } from "./topological-order.ts";

/** Who gives a kind of data when nobody is declared to (`spec/plugins.md` 1.3): under its type as its name. */
const DEFAULT_PRODUCERS: Readonly<Record<string, string>> = {
  InFlightLoad: "inflight-load-producer",
  LatencyPredictionInfo: "predicted-latency-producer",
  MultiModalEncoderCacheMatchInfo: "mm-embeddings-cache-producer",
  PrefixCacheMatchInfo: "approx-prefix-cache-producer",
  TokenizedPrompt: "token-producer",
};

/**
 * Makes the default producer of each required key that nobody produces, then of what those require, round by round.
 * False when a key has none. What a producer made in a round gives besides does not help others of that round, as stock:
 * so token-load-scorer alone is refused.
 */
export function createProducers({ root }: ConfigDocument, table: PluginTable, problems: ProblemList): boolean {
  for (let missing = missingKeys(table); missing.length > 0; missing = missingKeys(table)) {
    const hopeless = missing.filter(
      ({ key }) => DEFAULT_PRODUCERS[key.kind] !== key.producer || table.has(key.producer),
    );
    for (const { entry, key } of hopeless) {
      const path = entry.path ?? ["plugins"];
      const text = `found nothing that produces ${describe(key)} for ${entry.name}, ${expected(key)}`;
      problems.at(placeOf(root, path), path, text);
    }
    if (hopeless.length > 0) return false;
    for (const { key } of missing) table.inject(key.producer);
  }
  return true;
}

function missingKeys(table: PluginTable): { readonly entry: PluginEntry; readonly key: DataKey<unknown> }[] {
  const produced = new Set(table.entries.flatMap((entry) => (dataOf(entry).produces ?? []).map(({ id }) => id)));
  return table.entries.flatMap((entry) =>
    (dataOf(entry).requires ?? []).filter(({ id }) => !produced.has(id)).map((key) => ({ entry, key })),
  );
}

/**
 * Producers in the order of their data: after those whose data they require, and after those whose data they only want,
 * too, as long as that makes no circle (stock: by required keys only). Undefined when required keys make a circle.
 */
export function orderProducers(
  { root }: ConfigDocument,
  table: PluginTable,
  problems: ProblemList,
): readonly PluginEntry[] | undefined {
  const producers = table.at("producer");
  const byData = new Map<string, PluginEntry[]>();
  for (const entry of producers) {
    for (const { id } of dataOf(entry).produces ?? []) byData.set(id, [...(byData.get(id) ?? []), entry]);
  }
  const before = (keysOf: (data: PluginData) => readonly DataKey<unknown>[]) => (entry: PluginEntry) =>
    keysOf(dataOf(entry)).flatMap(({ id }) => (byData.get(id) ?? []).filter((other) => other !== entry));
  const all = topologicalOrder(
    producers,
    before(({ requires = [], wants = [] }) => [...requires, ...wants]),
  );
  if (all.order) return all.order;
  const required = topologicalOrder(
    producers,
    before(({ requires = [] }) => requires),
  );
  if (required.order) return required.order;
  const names = required.circle.map(({ name }) => name).join(", ");
  const text = `found producers that require each other's data (${names}), expected an order among them`;
  problems.at(placeOf(root, ["plugins"]), ["plugins"], text);
  return undefined;
}

const dataOf = ({ definition, params, name }: PluginEntry): PluginData => definition.data?.(params, name) ?? {};

const describe = ({ kind, producer }: DataKey<unknown>): string => `${kind} under the name "${producer}"`;

function expected({ kind }: DataKey<unknown>): string {
  const type = DEFAULT_PRODUCERS[kind];
  return type ? `expected a producer of that name, or the default one, ${type}` : "expected a plugin of that name";
}

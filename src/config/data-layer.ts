import type { DataPayload } from "../core/plugin.ts";
import type { ConfigDocument } from "./config-document.ts";
import type { ProblemList } from "./config-error.ts";
import { placeOf } from "./config-node.ts";
import type { PluginEntry, PluginTable } from "./plugin-entry.ts";
import { References } from "./references.ts";

/** A plugin of the data layer as its runner gets it: the type names the runner, `params` is what its schema gave. */
export interface DataLayerPlugin {
  readonly type: string;
  readonly name: string;
  readonly params: unknown;
}

/** Where endpoints and their signals come from. */
export interface DataLayer {
  /** Undefined: Kubernetes. */
  readonly discovery: DataLayerPlugin | undefined;
  /** Where the other replicas of the picker come from, and who tells them what this one knows; not built yet. */
  readonly peerDiscovery: DataLayerPlugin | undefined;
  readonly crossReplicaSyncer: DataLayerPlugin | undefined;
  readonly crossReplicaSyncIntervalUs: number | undefined;
  readonly sources: readonly (DataLayerPlugin & { readonly extractors: readonly DataLayerPlugin[] })[];
}

export function readDataLayer(
  { root, dataLayer }: ConfigDocument,
  table: PluginTable,
  problems: ProblemList,
): DataLayer {
  const references = new References(root, table, problems);
  const at = (...path: (string | number)[]) => ["dataLayer", ...path, "pluginRef"];
  const discovery = dataLayer.discovery && references.find(dataLayer.discovery.pluginRef, at("discovery"), "discovery");
  const { peerDiscovery, crossReplicaSyncerPluginRef: syncer } = dataLayer;
  const peers = peerDiscovery && references.find(peerDiscovery.pluginRef, at("peerDiscovery"));
  const sync = syncer === "" ? undefined : references.find(syncer, ["dataLayer", "crossReplicaSyncerPluginRef"]);
  const sources = dataLayer.sources.flatMap(({ pluginRef, extractors }, i) => {
    const source = references.find(pluginRef, at("sources", i), "dataSource");
    const found = extractors.flatMap((extractor, j) => {
      const path = at("sources", i, "extractors", j);
      const entry = references.find(extractor.pluginRef, path, "extractor");
      if (source && entry && !agree(source, entry)) problems.at(placeOf(root, path), path, mismatch(source, entry));
      return entry ? [runnable(entry)] : [];
    });
    return source ? [{ ...runnable(source), extractors: found }] : [];
  });
  return {
    discovery: discovery && runnable(discovery),
    peerDiscovery: peers && runnable(peers),
    crossReplicaSyncer: sync && runnable(sync),
    crossReplicaSyncIntervalUs: dataLayer.crossReplicaSyncInterval,
    sources,
  };
}

/** Whether an extractor reads what the source brings. */
const agree = ({ definition: { payload } }: PluginEntry, extractor: PluginEntry): boolean =>
  payload === undefined || extractor.definition.payload === undefined || extractor.definition.payload === payload;

const mismatch = (source: PluginEntry, { name, definition }: PluginEntry): string =>
  `found "${name}" of type ${definition.type}, which reads ${PAYLOAD_TEXT[definition.payload!]}, ` +
  `expected an extractor of ${PAYLOAD_TEXT[source.definition.payload!]}, as ${source.name} brings these`;

const PAYLOAD_TEXT: Readonly<Record<DataPayload, string>> = {
  metrics: "metrics pages",
  models: "lists of models",
  endpoints: "events of endpoints",
  objects: "Kubernetes objects",
};

const runnable = ({ definition, name, params }: PluginEntry): DataLayerPlugin => ({
  type: definition.type,
  name,
  params,
});

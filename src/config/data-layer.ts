import type { ConfigDocument } from "./config-document.ts";
import type { ProblemList } from "./config-error.ts";
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
      const entry = references.find(extractor.pluginRef, at("sources", i, "extractors", j), "extractor");
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

const runnable = ({ definition, name, params }: PluginEntry): DataLayerPlugin => ({
  type: definition.type,
  name,
  params,
});

import type { DataLayerPlugin } from "../config/data-layer.ts";
import type { FileDiscoveryParams } from "../plugins/data-layer/file-discovery.ts";
import { createFileDiscovery, type DiscoverySink, type FileDiscovery } from "./file-discovery.ts";

/** The runner of each type of discovery, under the name of its plugin. One line each. */
const DISCOVERIES: Readonly<Record<string, (params: unknown, sink: DiscoverySink) => FileDiscovery>> = {
  "file-discovery": (params, sink) => createFileDiscovery(params as FileDiscoveryParams, sink),
  "multicluster-file-discovery": (params, sink) =>
    createFileDiscovery({ ...(params as FileDiscoveryParams), areClusters: true }, sink),
};

/** Makes the discovery that a config names. Throws when its type has no runner. */
export function createDiscoveryOf({ type, name, params }: DataLayerPlugin, sink: DiscoverySink): FileDiscovery {
  if (!Object.hasOwn(DISCOVERIES, type)) {
    const expected = Object.keys(DISCOVERIES).join(", ");
    throw new Error(`Cannot run plugin ${name}: found type ${type}, expected ${expected}`);
  }
  return DISCOVERIES[type](params, sink);
}

import { z } from "zod";
import { defineDataLayerType } from "../define.ts";

const params = z.strictObject({
  path: z.string().min(1, "the path of the clusters file").describe("The clusters file, YAML or JSON."),
  watchFile: z.boolean().default(false).describe("Whether the file is read again when it changes."),
});

/**
 * Takes clusters as endpoints from a file like that of file-discovery. An address is an IP address or a host name, which
 * is looked up at each connection. The labels `metricsAddress` and `metricsPort` say where a cluster's metrics page is
 * when it is not at the endpoint's own address or port. Source: discovery/file.
 */
export const multiclusterFileDiscovery = defineDataLayerType("discovery", {
  type: "multicluster-file-discovery",
  stability: "alpha",
  params,
  example: `
plugins:
- type: multicluster-file-discovery
  parameters: {path: /etc/warmpath/clusters.yaml, watchFile: true}
dataLayer:
  discovery: {pluginRef: multicluster-file-discovery}
`,
});

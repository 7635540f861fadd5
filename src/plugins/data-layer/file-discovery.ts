import { z } from "zod";
import { defineDataLayerType } from "../define.ts";

const params = z.strictObject({
  path: z.string().min(1, "the path of the endpoints file").describe("The endpoints file, YAML or JSON."),
  watchFile: z.boolean().default(false).describe("Whether the file is read again when it changes."),
});

export type FileDiscoveryParams = z.infer<typeof params>;

/**
 * Takes the endpoints from a file instead of from Kubernetes; its runner is src/datalayer/file-discovery.ts, and what
 * the file says is in endpoints-file.ts. Source: discovery/file/plugin.go.
 */
export const fileDiscovery = defineDataLayerType("discovery", {
  type: "file-discovery",
  params,
  example: `
plugins:
- type: file-discovery
  parameters: {path: /etc/warmpath/endpoints.yaml, watchFile: true}
dataLayer:
  discovery: {pluginRef: file-discovery}
`,
});

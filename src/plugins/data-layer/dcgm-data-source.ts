import { z } from "zod";
import { defineDataLayerType } from "../define.ts";
import { int } from "../params.ts";
import { scrapeInterval } from "./http-source-params.ts";

const DCGM_PORT = 9400;

/**
 * Gets metrics pages of NVIDIA's DCGM exporter over HTTP, from a port of the endpoint's address, or of its node where the
 * exporter runs once a node. An endpoint whose node is not known is asked at its own address, as stock.
 * Source: source/dcgm/datasource.go, source/http/datasource.go.
 */
export const dcgmDataSource = defineDataLayerType("dataSource", {
  type: "dcgm-data-source",
  stability: "alpha",
  payload: "metrics",
  params: z.strictObject({
    port: int.min(1).max(65_535).default(DCGM_PORT).describe("Port of the GPU exporter."),
    useNodeAddress: z.boolean().default(false).describe("The exporter is on the pod's node, not in the pod."),
    interval: scrapeInterval,
  }),
  example: `
plugins:
- type: dcgm-data-source
  parameters: {useNodeAddress: true, interval: 1s}
- type: dcgm-extractor
dataLayer:
  sources:
  - pluginRef: dcgm-data-source
    extractors:
    - pluginRef: dcgm-extractor
`,
});

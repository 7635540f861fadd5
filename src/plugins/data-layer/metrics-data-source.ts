import { defineDataLayerType } from "../define.ts";
import { httpSourceParams } from "./http-source-params.ts";

export const METRICS_DATA_SOURCE = "metrics-data-source";

/**
 * Gets the metrics pages of the endpoints, each from its own address and port. A page that does not come leaves what is
 * known as it is. Its runner is src/datalayer/page-source.ts.
 * Source: source/metrics/datasource.go, source/http/datasource.go.
 */
export const metricsDataSource = defineDataLayerType("dataSource", {
  type: METRICS_DATA_SOURCE,
  payload: "metrics",
  params: httpSourceParams({ scheme: "http", path: "/metrics", insecureSkipVerify: true }),
  example: `
plugins:
- type: metrics-data-source
  parameters:
    scheme: https
    insecureSkipVerify: false
    caCertPath: /etc/warmpath/pods-ca.pem
    interval: 200ms
- type: core-metrics-extractor
dataLayer:
  sources:
  - pluginRef: metrics-data-source
    extractors:
    - pluginRef: core-metrics-extractor
`,
});

import { defineDataLayerType } from "../define.ts";
import { httpSourceParams } from "./http-source-params.ts";

/**
 * Gets metrics pages where endpoints are clusters: as metrics-data-source, but by https, and certificates are checked
 * unless the config says otherwise, since these pages cross the borders of a cluster. A page over 8 MiB is an error.
 * Source: source/metrics/multicluster.go.
 */
export const multiclusterMetricsDataSource = defineDataLayerType("dataSource", {
  type: "multicluster-metrics-data-source",
  stability: "alpha",
  payload: "metrics",
  params: httpSourceParams({ scheme: "https", path: "/metrics", insecureSkipVerify: false }),
  example: `
plugins:
- type: multicluster-metrics-data-source
  parameters: {caCertPath: /etc/warmpath/clusters-ca.pem, interval: 1s}
- type: multicluster-metrics-extractor
dataLayer:
  sources:
  - pluginRef: multicluster-metrics-data-source
    extractors:
    - pluginRef: multicluster-metrics-extractor
`,
});

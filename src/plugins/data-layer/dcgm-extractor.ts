import { dataKey } from "../../core/data-key.ts";
import { defineDataLayerType } from "../define.ts";
import { noParams } from "../params.ts";
import { MetricsPageReader } from "./metrics-page.ts";
import type { PageExtractor } from "./page-extractor.ts";

const DCGM_EXTRACTOR = "dcgm-extractor";
const GPU_UTILIZATION = "GPUUtilization";
const METRIC = "DCGM_FI_DEV_GPU_UTIL";

/**
 * Reads how busy an endpoint's GPUs are from a page of the DCGM exporter, as the attribute GPUUtilization.
 *
 * GPUUtilization = max(0, DCGM_FI_DEV_GPU_UTIL ...) / 100 over the gauges whose label `pod` is the endpoint's name, and
 * those without that label. NaN is passed over. Without such a gauge, or with an infinite one, the last value stays.
 * Source: extractor/dcgm/extractor.go.
 */
export const dcgmExtractor = defineDataLayerType("extractor", {
  type: DCGM_EXTRACTOR,
  stability: "alpha",
  payload: "metrics",
  params: noParams,
  ignoresParams: true,
  // The key has the type's name whatever the plugin's own is, as stock.
  data: () => ({ produces: [dataKey(GPU_UTILIZATION, DCGM_EXTRACTOR)] }),
  example: `
plugins:
- type: dcgm-data-source
- type: dcgm-extractor
- type: endpoint-attribute-scorer
  parameters:
    attributeKey: GPUUtilization
    producer: dcgm-extractor
    algorithm:
      type: linear_lower_is_better
      normalization: {fixedRange: {min: 0, max: 1}}
dataLayer:
  sources:
  - pluginRef: dcgm-data-source
    extractors:
    - pluginRef: dcgm-extractor
`,
});

export function createDcgmExtractor(): PageExtractor {
  const reader = new MetricsPageReader([
    {
      name: METRIC,
      labels: new Map(),
      ownLabel: "pod",
      choose: "greatest",
      above: Number.NEGATIVE_INFINITY,
      keep: [],
    },
  ]);
  return {
    type: DCGM_EXTRACTOR,
    extract(page, { name }) {
      const failed = reader.read(page, name);
      if (failed !== undefined) return { failed };
      const finding = reader.finding(0);
      if (finding !== "series") {
        const what = finding === "no family" ? "the page has none" : `it has none for pod ${JSON.stringify(name)}`;
        return { errors: [`Cannot find ${METRIC}: ${what}`] };
      }
      const percent = reader.value(0);
      if (!Number.isFinite(percent)) return { errors: [`Cannot use ${percent} as ${METRIC}: expected 0 to 100`] };
      return { row: { attributes: { [GPU_UTILIZATION]: Math.max(0, percent) / 100 }, aside: true }, errors: [] };
    },
  };
}

import type { PageExtractor } from "./page-extractor.ts";
import { type CoreMetricsExtractorParams, createCoreMetricsExtractor } from "./core-metrics-extractor.ts";
import { createDcgmExtractor } from "./dcgm-extractor.ts";
import { createModelsDataExtractor } from "./models-data-extractor.ts";
import { createMulticlusterMetricsExtractor } from "./multicluster-metrics-extractor.ts";

/** How an extractor of pages is made from its parsed parameters, by its type. One line each. */
export const PAGE_EXTRACTORS: Readonly<Record<string, (params: unknown) => PageExtractor>> = {
  "core-metrics-extractor": (params) => createCoreMetricsExtractor(params as CoreMetricsExtractorParams),
  "dcgm-extractor": createDcgmExtractor,
  "models-data-extractor": createModelsDataExtractor,
  "multicluster-metrics-extractor": (params) => createMulticlusterMetricsExtractor(params as object),
};

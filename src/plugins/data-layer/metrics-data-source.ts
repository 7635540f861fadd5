import type { z } from "zod";
import { defineDataLayerType } from "../define.ts";
import { httpSourceParams } from "./http-source-params.ts";

const params = httpSourceParams({ scheme: "http", path: "/metrics", insecureSkipVerify: true });

/** Parameters; `interval` in microseconds, 0 for each tick. */
export type MetricsDataSourceParams = z.infer<typeof params>;

export const METRICS_DATA_SOURCE = "metrics-data-source";

/** Least time between two scrapes of one endpoint (stock: datalayer/runtime.go). */
const TICK_MS_MIN = 50;

/**
 * Scrapes the endpoints' metrics pages over HTTP; its runner is src/datalayer/metrics-scraper.ts.
 * Source: source/metrics/datasource.go, source/http/datasource.go.
 */
export const metricsDataSource = defineDataLayerType("dataSource", { type: METRICS_DATA_SOURCE, params });

/**
 * Time between two scrapes of one endpoint in milliseconds: the source's interval rounded to whole ticks, at least one.
 * The tick is --refresh-metrics-interval, lowered to the interval when that is shorter, and never below 50 ms.
 */
export function scrapePeriodMs(refreshIntervalMs: number, intervalMs: number): number {
  const shorter = intervalMs > 0 ? Math.min(refreshIntervalMs, intervalMs) : refreshIntervalMs;
  const tickMs = Math.max(shorter, TICK_MS_MIN);
  return intervalMs > 0 ? Math.max(Math.round(intervalMs / tickMs), 1) * tickMs : tickMs;
}

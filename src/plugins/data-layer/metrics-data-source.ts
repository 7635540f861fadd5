import { z } from "zod";
import { defineDataLayerType } from "../define.ts";
import { goDurationUs } from "../params.ts";

const params = z
  .strictObject({
    scheme: z.enum(["http", "https"]).default("http").describe("Protocol of the metrics pages."),
    path: z.string().default("/metrics").describe("Path of the metrics pages."),
    port: z
      .int()
      .min(1)
      .max(65_535)
      .optional()
      .describe("Port of the metrics pages; default: the endpoint's own. Not for pools of several ports."),
    insecureSkipVerify: z.boolean().default(true).describe("Whether https certificates go unchecked."),
    caCertPath: z
      .string()
      .default("")
      .describe("PEM file of authorities that sign the pods' certificates; \"\" for the system's."),
    clientCertPath: z.string().default("").describe("PEM file of a certificate to show to the pods."),
    clientKeyPath: z.string().default("").describe("PEM file of its key."),
    interval: z
      .literal("")
      .transform(() => 0)
      .or(goDurationUs)
      .default(0)
      .describe('Time between scrapes, rounded to --refresh-metrics-interval; "" for each of its ticks.'),
  })
  .superRefine(({ clientCertPath, clientKeyPath }, context) => {
    if ((clientCertPath === "") === (clientKeyPath === "")) return;
    const path = [clientCertPath === "" ? "clientCertPath" : "clientKeyPath"];
    context.addIssue({ code: "custom", path, message: "a file, since clientCertPath and clientKeyPath go together" });
  });

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

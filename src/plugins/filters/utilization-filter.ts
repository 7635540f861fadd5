import { z } from "zod";
import { inflightLoadKey } from "../../core/data-key.ts";
import type { Endpoints } from "../../core/endpoints.ts";
import { defineFilter } from "../define.ts";
import { producerName } from "../params.ts";
import { INFLIGHT_LOAD_PRODUCER, InflightColumns } from "../producers/inflight-columns.ts";
import { keepAll } from "./keep-all.ts";
import { keepWhere } from "./keep-where.ts";

const condition = z
  .strictObject({
    metric: z
      .enum(["active-requests", "running-requests", "waiting-queue", "kv-cache-utilization"])
      .describe("Which signal."),
    maxValue: z.number().min(0).describe("Greatest value of an endpoint that stays."),
  })
  .refine(({ metric, maxValue }) => metric !== "kv-cache-utilization" || maxValue <= 1, {
    path: ["maxValue"],
    message: "a share from 0 to 1, as the metric is kv-cache-utilization",
  });

const params = z.strictObject({
  conditions: z.array(condition).min(1).describe("All of them hold for an endpoint that stays."),
  fallbackOnEmpty: z.boolean().default(false).describe("Keeps all endpoints when none would stay."),
  inFlightLoadProducerName: producerName(INFLIGHT_LOAD_PRODUCER).describe("Who counts active requests."),
});

/**
 * Drops the endpoints with a signal above its limit; a signal never seen counts as 0.
 * Source: scheduling/filter/utilization.
 */
export const utilizationFilter = defineFilter({
  type: "utilization-filter",
  example: `
plugins:
- type: utilization-filter
  parameters:
    conditions:
    - {metric: waiting-queue, maxValue: 10}
    - {metric: kv-cache-utilization, maxValue: 0.95}
    fallbackOnEmpty: true
- type: queue-scorer
`,
  stability: "alpha",
  params,
  data: ({ conditions, inFlightLoadProducerName }) => ({
    requires: conditions.some(({ metric }) => metric === "active-requests")
      ? [inflightLoadKey(inFlightLoadProducerName)]
      : [],
  }),
  create: ({ conditions, fallbackOnEmpty, inFlightLoadProducerName }, { endpoints }) => {
    const load = new InflightColumns(endpoints, inFlightLoadProducerName);
    return {
      filter(_request, candidates, keep) {
        const kept = keepWhere(candidates, keep, (slot) =>
          conditions.every(({ metric, maxValue }) => VALUES[metric](slot, endpoints, load) <= maxValue),
        );
        return kept === 0 && fallbackOnEmpty ? keepAll(candidates.count, keep) : kept;
      },
    };
  },
});

type Metric = z.infer<typeof condition>["metric"];

const VALUES: Readonly<Record<Metric, (slot: number, endpoints: Endpoints, load: InflightColumns) => number>> = {
  "active-requests": (slot, _endpoints, load) => load.requests(slot),
  "running-requests": (slot, endpoints) => endpoints.running[slot],
  "waiting-queue": (slot, endpoints) => endpoints.waiting[slot],
  "kv-cache-utilization": (slot, endpoints) => endpoints.kvUsage[slot],
};

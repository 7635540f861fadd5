import type { Gauge, Registry } from "prom-client";
import type { CoreDriver } from "../server/core-driver.ts";
import { helpOf, olderHelpOf } from "./family-help.ts";
import { collectedGauge } from "./collected-gauge.ts";

export interface PoolGaugesOptions {
  readonly registry: Registry;
  readonly driver: CoreDriver;
  readonly poolName: string;
  /** Age up to which an endpoint's signals count as fresh. */
  readonly freshWithinUs: number;
}

/** A gauge of the pool by `name`, with the name of older releases where it has one. */
interface PoolGauge {
  readonly name: string;
  readonly olderName?: string;
  readonly help: string;
  /** Undefined where no endpoint is fresh: the last value stays, as stock. */
  readonly value: (fresh: Fresh) => number | undefined;
}

/** Signals of the fresh endpoints. */
interface Fresh {
  readonly kvUsage: readonly number[];
  readonly waiting: readonly number[];
  readonly running: readonly number[];
}

const OF_POOL: readonly PoolGauge[] = [
  ...(
    [
      ["kv_cache_utilization", "KV cache use, 0 to 1,", ({ kvUsage }: Fresh) => kvUsage],
      ["queue_size", "Waiting requests", ({ waiting }: Fresh) => waiting],
      ["running_requests", "Running requests", ({ running }: Fresh) => running],
    ] as const
  ).flatMap(([signal, what, valuesOf]): readonly PoolGauge[] => [
    {
      name: `llm_d_epp_average_${signal}`,
      olderName: `inference_pool_average_${signal}`,
      help: `${what} of an endpoint, mean over those with fresh metrics.`,
      value: (fresh) => rounded(mean(valuesOf(fresh))),
    },
    {
      name: `llm_d_epp_std_dev_${signal}`,
      help: `${what} of an endpoint, sample standard deviation over those with fresh metrics.`,
      value: (fresh) => standardDeviation(valuesOf(fresh)),
    },
  ]),
  {
    name: "llm_d_epp_ready_endpoints",
    olderName: "inference_pool_ready_pods",
    help: "Endpoints with fresh metrics.",
    value: ({ waiting }) => waiting.length,
  },
];

/** Puts what the pool is like on the page, under both names (stock: metrics/collectors/inference_pool.go). */
export function registerPoolGauges({ registry, driver, poolName, freshWithinUs }: PoolGaugesOptions): void {
  for (const { name, olderName, help, value } of OF_POOL) {
    const collect = (gauge: Gauge): void => {
      const now = value(freshOf(driver, freshWithinUs));
      if (now !== undefined) gauge.set({ name: poolName }, now);
    };
    collectedGauge(registry, name, helpOf(help), ["name"], collect);
    if (olderName) collectedGauge(registry, olderName, olderHelpOf(name, help), ["name"], collect);
  }
  const help = "Waiting requests of an endpoint.";
  for (const [name, label, told] of [
    ["llm_d_epp_per_endpoint_queue_size", "model_server_endpoint", helpOf(help)],
    ["inference_pool_per_pod_queue_size", "model_server_pod", olderHelpOf("llm_d_epp_per_endpoint_queue_size", help)],
  ]) {
    collectedGauge(registry, name, told, ["name", label], (gauge) => {
      gauge.reset();
      const { endpoints } = driver.core;
      for (const slot of endpoints.slots()) {
        gauge.set({ name: poolName, [label]: endpoints.description[slot].name }, endpoints.waiting[slot]);
      }
    });
  }
}

function freshOf(driver: CoreDriver, freshWithinUs: number): Fresh {
  driver.drain();
  const { nowUs } = driver;
  const { endpoints } = driver.core;
  const slots = [...endpoints.slots()].filter((slot) => {
    const at = endpoints.updatedAtUs[slot];
    return at >= 0 && nowUs - at <= freshWithinUs;
  });
  return {
    kvUsage: slots.map((slot) => endpoints.kvUsage[slot]),
    waiting: slots.map((slot) => endpoints.waiting[slot]),
    running: slots.map((slot) => endpoints.running[slot]),
  };
}

function mean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** With n - 1 below; 0 for one value. */
function standardDeviation(values: readonly number[]): number | undefined {
  const middle = mean(values);
  if (middle === undefined) return undefined;
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return values.length === 1 ? 0 : Math.sqrt(squares / (values.length - 1));
}

const rounded = (value: number | undefined): number | undefined =>
  value === undefined ? undefined : Math.round(value * 100) / 100;

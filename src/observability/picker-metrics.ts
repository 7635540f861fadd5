import { Registry } from "prom-client";
import type { Env } from "../core/env.ts";
import type { CoreDriver } from "../server/core-driver.ts";
import { createExchangeMetrics, type ExchangeMetrics } from "./exchange-metrics.ts";
import { createSchedulerMetrics } from "./scheduler-metrics.ts";

/** What a picker measures while it serves. It is made before the core, whose plugins it times. */
export interface PickerMetrics {
  readonly registry: Registry;
  /** To be the core's `Env.probe`. */
  readonly probe: NonNullable<Env["probe"]>;
  readonly exchanges: ExchangeMetrics;
  /** Begins to take in what the core decides. */
  attach(driver: CoreDriver): void;
}

/** Makes the measures of one picker, all on one page. */
export function createPickerMetrics(nowSeconds = () => performance.now() / 1000): PickerMetrics {
  const registry = new Registry();
  let attached: CoreDriver | undefined;
  const typeOf = (plugin: string): string =>
    attached?.core.plan.plugins.find(({ name }) => name === plugin)?.type ?? plugin;
  const scheduler = createSchedulerMetrics(registry, nowSeconds, typeOf);
  return {
    registry,
    probe: scheduler.probe,
    exchanges: createExchangeMetrics(registry, nowSeconds),
    attach(driver) {
      attached = driver;
      driver.observe((notice) => scheduler.observe(notice, driver.core));
    },
  };
}

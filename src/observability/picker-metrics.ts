import { Registry } from "prom-client";
import type { Env } from "../core/env.ts";
import type { CoreDriver } from "../server/core-driver.ts";
import { createExchangeMetrics, type ExchangeMetrics } from "./exchange-metrics.ts";
import { createStreamMetrics, type StreamMetrics } from "./stream-metrics.ts";
import { createSchedulerMetrics } from "./scheduler-metrics.ts";

/** What a picker measures while it serves. It is made before the core, whose plugins it times. */
export interface PickerMetrics {
  readonly registry: Registry;
  /** To be the core's `Env.probe`. */
  readonly probe: NonNullable<Env["probe"]>;
  readonly exchanges: ExchangeMetrics;
  /** Puts the families of streams on the page; to be called at most once. */
  streams(): StreamMetrics;
  /** Begins to take in what the core decides. */
  attach(driver: CoreDriver): void;
}

/** Makes the measures of one picker, all on one page. */
export function createPickerMetrics(nowSeconds = () => performance.now() / 1000): PickerMetrics {
  const registry = new Registry();
  let attached: CoreDriver | undefined;
  const named = (called: string) => {
    const plugins = attached?.core.plan.plugins ?? [];
    const found =
      plugins.find(({ name }) => name === called) ?? plugins.find(({ plugin }) => plugin.parser?.type === called);
    return found ?? { name: called, type: called };
  };
  const scheduler = createSchedulerMetrics(registry, nowSeconds, named);
  return {
    registry,
    probe: scheduler.probe,
    exchanges: createExchangeMetrics(registry, nowSeconds),
    streams: () => createStreamMetrics(registry, nowSeconds),
    attach(driver) {
      attached = driver;
      driver.observe((notice) => scheduler.observe(notice, driver.core));
    },
  };
}

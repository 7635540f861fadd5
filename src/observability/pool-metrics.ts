import { collectDefaultMetrics, Counter, Gauge, type Registry } from "prom-client";
import type { CoreDriver } from "../server/core-driver.ts";
import type { PluginInstance } from "../core/plugin.ts";
import type { Notice } from "../core/notices.ts";
import { registerPluginCounters } from "./plugin-counters.ts";

const FAILURES: ReadonlySet<Notice["type"]> = new Set(["producerFailed", "pluginFailed", "hookFailed"]);
export interface PoolMetricsOptions {
  /** The page that they are put on. */
  readonly registry: Registry;
  readonly driver: CoreDriver;
  readonly poolName: string;
  /** Flags of the command line that no release knows. */
  readonly unknownFlagCount?: number;
  /** Age up to which an endpoint's signals count as fresh. */
  readonly freshWithinUs: number;
  /** Requests that the server in front has open, and bytes of bodies that it holds. */
  readonly streamCount: () => number;
  readonly bodyBytesInFlight: () => number;
}

/** Puts gauges of the pool and counters of what goes wrong on the page, and Node's own of the process. */
export function registerPoolMetrics(options: PoolMetricsOptions): void {
  const { registry, driver, poolName, freshWithinUs, streamCount, bodyBytesInFlight } = options;
  collectDefaultMetrics({ register: registry });
  const asks = counter(registry, "warmpath_asks_total", "IO that parked requests waited for, by how it ended.", [
    "outcome",
  ]);
  const failures = counter(
    registry,
    "warmpath_plugin_failures_total",
    "Producers that failed and plugins that threw.",
    [],
  );
  driver.observe((notice: Notice) => {
    if (notice.type === "askOver") asks.inc({ outcome: notice.reason });
    else if (FAILURES.has(notice.type)) failures.inc();
  });
  gauge(registry, "llm_d_epp_ready_endpoints", "Endpoints with fresh metrics.", ["name"], (g) => {
    g.set({ name: poolName }, countFresh(driver, freshWithinUs));
  });
  gauge(registry, "warmpath_unknown_flags", "Flags of the command line that were passed over as unknown.", [], (g) =>
    g.set(options.unknownFlagCount ?? 0),
  );
  gauge(registry, "warmpath_requests_in_flight", "Requests between arrival and end.", [], (g) =>
    g.set(driver.core.requestCount),
  );
  gauge(registry, "warmpath_streams", "Requests that the server has open.", [], (g) => g.set(streamCount()));
  gauge(registry, "warmpath_body_bytes_in_flight", "Bytes of bodies that are held.", [], (g) =>
    g.set(bodyBytesInFlight()),
  );
  gauge(registry, "warmpath_plugin_gauge", "What plugins tell of themselves.", ["plugin_name", "gauge"], (g) => {
    for (const { name, plugin } of driver.core.plan.plugins) {
      for (const [key, value] of gaugesOf(plugin)) g.set({ plugin_name: name, gauge: key }, value);
    }
  });
  registerPluginCounters(registry, () => driver.core.plan);
}

/** Nothing of a plugin that throws: the page is worth more than its gauges. */
function gaugesOf(plugin: PluginInstance): readonly (readonly [string, number])[] {
  try {
    return Object.entries(plugin.gauges?.() ?? {});
  } catch {
    return [];
  }
}

function countFresh(driver: CoreDriver, freshWithinUs: number): number {
  driver.drain();
  const { nowUs } = driver;
  const { endpoints } = driver.core;
  return endpoints.slots().filter((slot) => {
    const at = endpoints.updatedAtUs[slot];
    return at >= 0 && nowUs - at <= freshWithinUs;
  }).length;
}

function counter<L extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly L[],
): Counter<L> {
  return new Counter({ name, help, labelNames: [...labelNames], registers: [registry] });
}

function gauge(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  collect: (gauge: Gauge) => void,
): void {
  const collected: Gauge = new Gauge({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    collect: () => collect(collected),
  });
}

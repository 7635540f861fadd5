import { collectDefaultMetrics, Counter, type Registry } from "prom-client";
import type { PluginInstance } from "../core/plugin.ts";
import type { Notice } from "../core/notices.ts";
import { collectedGauge } from "./collected-gauge.ts";
import { type PoolGaugesOptions, registerPoolGauges } from "./pool-gauges.ts";
import { registerPluginMeasures } from "./plugin-measures.ts";

const FAILURES: ReadonlySet<Notice["type"]> = new Set(["producerFailed", "pluginFailed", "hookFailed"]);

export interface PoolMetricsOptions extends PoolGaugesOptions {
  /** Flags of the command line that no release knows. */
  readonly unknownFlagCount?: number;
  /** Requests that the server in front has open, and bytes of bodies that it holds. */
  readonly streamCount: () => number;
  readonly bodyBytesInFlight: () => number;
}

/** Puts gauges of the pool and counters of what goes wrong on the page, and Node's own of the process. */
export function registerPoolMetrics(options: PoolMetricsOptions): void {
  const { registry, driver, streamCount, bodyBytesInFlight } = options;
  collectDefaultMetrics({ register: registry });
  registerPoolGauges(options);
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
  collectedGauge(
    registry,
    "warmpath_unknown_flags",
    "Flags of the command line that were passed over as unknown.",
    [],
    (g) => g.set(options.unknownFlagCount ?? 0),
  );
  collectedGauge(registry, "warmpath_requests_in_flight", "Requests between arrival and end.", [], (g) =>
    g.set(driver.core.requestCount),
  );
  collectedGauge(registry, "warmpath_streams", "Requests that the server has open.", [], (g) => g.set(streamCount()));
  collectedGauge(registry, "warmpath_body_bytes_in_flight", "Bytes of bodies that are held.", [], (g) =>
    g.set(bodyBytesInFlight()),
  );
  collectedGauge(
    registry,
    "warmpath_plugin_gauge",
    "What plugins tell of themselves.",
    ["plugin_name", "gauge"],
    (g) => {
      for (const { name, plugin } of driver.core.plan.plugins) {
        for (const [key, value] of gaugesOf(plugin)) g.set({ plugin_name: name, gauge: key }, value);
      }
    },
  );
  registerPluginMeasures(registry, () => driver.core.plan);
}

/** Nothing of a plugin that throws: the page is worth more than its gauges. */
function gaugesOf(plugin: PluginInstance): readonly (readonly [string, number])[] {
  try {
    return Object.entries(plugin.gauges?.() ?? {});
  } catch {
    return [];
  }
}

function counter<L extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly L[],
): Counter<L> {
  return new Counter({ name, help, labelNames: [...labelNames], registers: [registry] });
}

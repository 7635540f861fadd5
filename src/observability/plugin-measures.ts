import type { Registry } from "prom-client";
import type { Plan } from "../core/plan.ts";
import type { PluginInstance } from "../core/plugin.ts";
import { PLUGIN_GAUGES } from "../plugins/gauges.ts";
import { PLUGIN_HISTOGRAMS } from "../plugins/histograms.ts";
import { helpOf, olderHelpOf } from "./family-help.ts";
import { histogramSamples, registerSamples } from "./metric-family.ts";
import { registerPluginCounters } from "./plugin-counters.ts";

/** Puts what plugins count and measure on the page: counters, gauges and histograms. A new config's plugins begin anew. */
export function registerPluginMeasures(registry: Registry, plan: () => Plan): void {
  registerPluginCounters(registry, plan);
  for (const { name, olderName, help } of PLUGIN_GAUGES) {
    const rows = () =>
      plan().plugins.flatMap(({ name: plugin_name, type: plugin_type, plugin }) =>
        told(plugin, "gaugeRows").flatMap(({ gauge, labels, value }) =>
          gauge === name ? [{ labels: olderName ? { plugin_name, plugin_type } : labels, value }] : [],
        ),
      );
    registerSamples(registry, { name, help: helpOf(help), type: "gauge" }, rows);
    if (!olderName) continue;
    const older = { name: olderName, help: olderHelpOf(name, help), type: "gauge" } as const;
    registerSamples(registry, older, () => {
      const all = rows();
      return all.length === 0 ? [] : [{ labels: {}, value: all.reduce((sum, { value }) => sum + value, 0) }];
    });
  }
  for (const { name, olderName, help, buckets } of PLUGIN_HISTOGRAMS) {
    const rows = () =>
      plan().plugins.flatMap(({ name: plugin_name, type: plugin_type, plugin }) =>
        told(plugin, "histograms").flatMap((row) =>
          row.histogram === name ? [{ ...row, plugin_name, plugin_type }] : [],
        ),
      );
    registerSamples(registry, { name, help: helpOf(help), type: "histogram" }, () =>
      rows().flatMap(({ plugin_name, plugin_type, counts, sum }) =>
        histogramSamples(name, { plugin_name, plugin_type }, buckets, counts, sum),
      ),
    );
    const older = olderHelpOf(name, help);
    registerSamples(registry, { name: olderName, help: older, type: "histogram" }, () => {
      const all = rows();
      if (all.length === 0) return [];
      const counts = new Float64Array(buckets.length + 1);
      for (const row of all) for (let i = 0; i < counts.length; i++) counts[i] += row.counts[i];
      return histogramSamples(
        olderName,
        {},
        buckets,
        counts,
        all.reduce((sum, row) => sum + row.sum, 0),
      );
    });
  }
}

/** Nothing of a plugin that throws: the page is worth more than what it tells. */
function told<M extends "gaugeRows" | "histograms">(
  plugin: PluginInstance,
  method: M,
): ReturnType<Required<PluginInstance>[M]> | readonly never[] {
  try {
    return (plugin[method]?.() ?? []) as ReturnType<Required<PluginInstance>[M]>;
  } catch {
    return [];
  }
}

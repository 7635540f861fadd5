import type { Registry } from "prom-client";
import type { Plan } from "../core/plan.ts";
import type { CounterRow, PluginInstance } from "../core/plugin.ts";
import { PLUGIN_COUNTERS } from "../plugins/counters.ts";
import { helpOf, olderHelpOf } from "./family-help.ts";
import { registerSamples, type Sample } from "./metric-family.ts";

/** Puts what plugins count on the page, under its name and its older one. A new config's plugins begin anew. */
export function registerPluginCounters(registry: Registry, plan: () => Plan): void {
  for (const { name, olderName, help } of PLUGIN_COUNTERS) {
    const rows = () =>
      plan().plugins.flatMap(({ name: plugin_name, type: plugin_type, plugin }) =>
        rowsOf(plugin).flatMap(({ counter, labels, value }) =>
          counter === name ? [{ own: { plugin_name, plugin_type }, labels, value }] : [],
        ),
      );
    registerSamples(registry, { name, help: helpOf(help), type: "counter" }, () =>
      rows().map(({ own, labels, value }) => ({ labels: { ...own, ...labels }, value })),
    );
    const older = { name: olderName, help: olderHelpOf(name, help), type: "counter" } as const;
    registerSamples(registry, older, () => summed(rows()));
  }
}

/** Counts of all plugins together, by labels. */
function summed(rows: readonly Sample[]): readonly Sample[] {
  const sums = new Map<string, Sample>();
  for (const { labels, value } of rows) {
    const key = JSON.stringify(labels);
    sums.set(key, { labels, value: value + (sums.get(key)?.value ?? 0) });
  }
  return [...sums.values()];
}

/** Nothing of a plugin that throws: the page is worth more than its counts. */
function rowsOf(plugin: PluginInstance): readonly CounterRow[] {
  try {
    return plugin.counters?.() ?? [];
  } catch {
    return [];
  }
}

import type { Registry } from "prom-client";
import { Counter } from "prom-client";
import type { Plan } from "../core/plan.ts";
import type { CounterRow, PluginInstance } from "../core/plugin.ts";
import { PLUGIN_COUNTERS } from "../plugins/counters.ts";

/** Puts what plugins count on the page, under its name and its older one. A new config's plugins begin anew. */
export function registerPluginCounters(registry: Registry, plan: () => Plan): void {
  for (const { name, olderName, help, labelNames } of PLUGIN_COUNTERS) {
    const collect = (counter: Counter, ofPlugin: boolean): void => {
      counter.reset();
      for (const { name: plugin_name, type: plugin_type, plugin } of plan().plugins) {
        for (const { counter: family, labels, value } of rowsOf(plugin)) {
          if (family === name) counter.inc({ ...(ofPlugin && { plugin_name, plugin_type }), ...labels }, value);
        }
      }
    };
    const ownLabels = ["plugin_name", "plugin_type", ...labelNames];
    register(registry, name, `[ALPHA] ${help}`, ownLabels, (counter) => collect(counter, true));
    const olderHelp = `[ALPHA] [Deprecated: Use ${name}] ${help}`;
    register(registry, olderName, olderHelp, labelNames, (counter) => collect(counter, false));
  }
}

function register(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  collect: (counter: Counter) => void,
): void {
  const collected: Counter = new Counter({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    collect: () => collect(collected),
  });
}

/** Nothing of a plugin that throws: the page is worth more than its counts. */
function rowsOf(plugin: PluginInstance): readonly CounterRow[] {
  try {
    return plugin.counters?.() ?? [];
  } catch {
    return [];
  }
}

import type { Plan } from "../../core/plan.ts";
import type { PluginInstance } from "../../core/plugin.ts";

/** What is told of one plugin; `message` in the place of a state that it does not have. */
export interface ToldPlugin {
  readonly name: string;
  readonly type: string;
  readonly state?: Readonly<Record<string, unknown>>;
  readonly message?: string;
}

/** In the stock's words. */
const NO_STATE = "plugin does not support state collection";

/** What each plugin of a plan counts and measures, by name: numbers and their labels, nothing of any prompt. */
export function pluginStates(plan: Plan): Readonly<Record<string, ToldPlugin>> {
  return Object.fromEntries(
    plan.plugins.map(({ name, type, plugin }) => [name, { name, type, ...stateOf(plugin) }] as const),
  );
}

function stateOf(plugin: PluginInstance): Pick<ToldPlugin, "state" | "message"> {
  const has = (method: "gauges" | "gaugeRows" | "counters" | "histograms") => plugin[method] !== undefined;
  if (!has("gauges") && !has("gaugeRows") && !has("counters") && !has("histograms")) return { message: NO_STATE };
  try {
    return {
      state: {
        ...(has("gauges") && { gauges: plugin.gauges?.() }),
        ...(has("gaugeRows") && { labelledGauges: plugin.gaugeRows?.() }),
        ...(has("counters") && { counters: plugin.counters?.() }),
        ...(has("histograms") && {
          histograms: plugin.histograms?.().map(({ histogram, counts, sum }) => ({
            histogram,
            count: counts.reduce((all, count) => all + count, 0),
            sum,
          })),
        }),
      },
    };
  } catch (error) {
    return { message: `plugin failed to tell its state: ${String(error)}` };
  }
}

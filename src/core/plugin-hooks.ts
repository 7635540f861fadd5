import type { Env, ProbePoint } from "./env.ts";
import type { Plan } from "./plan.ts";
import type { PluginInstance } from "./plugin.ts";

/** Methods by which plugins are told of something and give no answer. */
export type PluginHook =
  | "moved"
  | "responseStarted"
  | "responseFirstByte"
  | "requestEnded"
  | "endpointAdded"
  | "endpointChanged"
  | "endpointRemoved";

/** Points at which a response's hooks are timed; the others take no time that anyone asks about. */
const POINTS: Partial<Record<PluginHook, ProbePoint>> = {
  responseStarted: "ResponseReceived",
  responseFirstByte: "ResponseStreaming",
  requestEnded: "ResponseStreaming",
};

/** Tells all plugins of a plan something. One that throws keeps it from no other: a notice says so. */
export function callHooks(plan: Plan, hook: PluginHook, env: Env, call: (plugin: PluginInstance) => void): void {
  const point = env.probe && POINTS[hook];
  for (const { plugin, name } of plan.plugins) {
    const timed = point && plugin[hook] ? point : undefined;
    if (timed) env.probe?.(timed, name, "begin");
    try {
      call(plugin);
    } catch (error) {
      env.emit({ type: "hookFailed", plugin: name, hook, cause: String(error) });
    }
    if (timed) env.probe?.(timed, name, "end");
  }
}

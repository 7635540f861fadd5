import type { Env } from "./env.ts";
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

/** Tells all plugins of a plan something. One that throws keeps it from no other: a notice says so. */
export function callHooks(plan: Plan, hook: PluginHook, env: Env, call: (plugin: PluginInstance) => void): void {
  for (const { plugin, name } of plan.plugins) {
    try {
      call(plugin);
    } catch (error) {
      env.emit({ type: "hookFailed", plugin: name, hook, cause: String(error) });
    }
  }
}

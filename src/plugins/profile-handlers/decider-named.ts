import type { PluginContext } from "../../core/plugin.ts";
import type { Decider } from "../define.ts";

/** The decider of a name; undefined for the name "". Throws when there is no decider of that name. */
export function deciderNamed(context: PluginContext, name: string): Decider | undefined {
  if (name === "") return undefined;
  const found = context.plugin(name);
  if (found?.decide) return found as Decider;
  throw new Error(`Cannot make ${context.name}: found no decider "${name}", expected one that is declared`);
}

import type { PluginDefinition } from "../../core/plugin.ts";

/** What is said of a type that is not built: all but how it is made. */
type UnbuiltSpec<P> = Omit<PluginDefinition<P>, "create" | "isBuilt">;

/**
 * A type of the stock EPP that this release knows and cannot make yet: its parameters are validated and its data takes
 * part in the plan, so that a config with it can be checked; nothing can serve with it. Its declaration moves to the
 * file of the real plugin when that is written.
 */
export function defineUnbuilt<P>(spec: UnbuiltSpec<P>): PluginDefinition {
  const create = (): never => {
    throw new Error(`Cannot make a plugin of type ${spec.type}: this release does not build it yet`);
  };
  return { ...spec, isBuilt: false, create } as unknown as PluginDefinition;
}

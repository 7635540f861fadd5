import { parse } from "yaml";
import type { PluginDefinition } from "../../core/plugin.ts";

/** Parameters of a type in the example of its reference page; none where it has no example. */
export function exampleParams({ type, example }: PluginDefinition): object {
  const { plugins = [] } = parse(example ?? "{}") as { plugins?: { type: string; parameters?: object }[] };
  return plugins.find((plugin) => plugin.type === type)?.parameters ?? {};
}

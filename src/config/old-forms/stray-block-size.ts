import { pluginType } from "../../plugins/list.ts";
import { childOf } from "../config-node.ts";
import type { OldForm } from "./old-form.ts";
import { inPlace, mapPlugins, textUnder, withoutEntry } from "./old-form.ts";

const OLD = "hashBlockSize";

/**
 * `hashBlockSize` at types that never read it, or read it no more (releases up to llm-d-router 0.8 took any parameter):
 * dropped, as KServe drops it when it migrates a config. Types that ignore all parameters keep theirs.
 */
export const strayBlockSize: OldForm = (root, problems) =>
  mapPlugins(root, (plugin, path) => {
    const parameters = childOf(plugin, "parameters");
    const old = parameters?.kind === "map" ? parameters.entries.find(({ key }) => key === OLD) : undefined;
    const definition = pluginType(textUnder(plugin, "type"));
    if (parameters?.kind !== "map" || !old || !definition || definition.ignoresParams) return plugin;
    problems.old(old.keyPlace, [...path, "parameters", OLD], "an older parameter, which has no effect today");
    return inPlace(plugin, "parameters", withoutEntry(parameters, OLD));
  });

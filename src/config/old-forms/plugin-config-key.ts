import { childOf } from "../config-node.ts";
import type { OldForm } from "./old-form.ts";
import { mapPlugins, renamed } from "./old-form.ts";

/** `config` in an entry of `plugins`, as some guides write it: today `parameters`. With both there, `config` stays unknown. */
export const pluginConfigKey: OldForm = (root, problems) =>
  mapPlugins(root, (plugin, path) => {
    const old = plugin.entries.find(({ key }) => key === "config");
    if (!old || childOf(plugin, "parameters")) return plugin;
    problems.old(old.keyPlace, [...path, "config"], "an older name of parameters");
    return renamed(plugin, "config", "parameters");
  });

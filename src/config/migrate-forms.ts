import { pluginType } from "../plugins/list.ts";
import { API_VERSIONS, NEWER_API_VERSION } from "./config-document.ts";
import { ProblemList } from "./config-error.ts";
import type { ConfigMap, ConfigNode } from "./config-node.ts";
import { childOf } from "./config-node.ts";
import type { OldForm } from "./old-forms/old-form.ts";
import { inPlace, mapPlugins, numberUnder, ofPlugins, renamed, textUnder } from "./old-forms/old-form.ts";
import { OLD_FORMS } from "./old-forms/old-forms.ts";
import { RETIRED_GATES } from "./old-forms/retired-gates.ts";

/** `apiVersion` of another release: today's. */
const apiVersion: OldForm = (root) => {
  const node = childOf(root, "apiVersion");
  const other: readonly unknown[] = [API_VERSIONS[1], NEWER_API_VERSION];
  if (node?.kind !== "scalar" || !other.includes(node.value)) return root;
  return inPlace(root, "apiVersion", { ...node, value: API_VERSIONS[0] });
};

/** Feature gates that change nothing today are left out. */
const retiredGates: OldForm = (root) => {
  const gates = childOf(root, "featureGates");
  if (gates?.kind !== "list") return root;
  const items = gates.items.filter((item) => !Object.hasOwn(RETIRED_GATES, gateName(item)));
  return items.length === gates.items.length ? root : inPlace(root, "featureGates", { ...gates, items });
};

const gateName = (item: ConfigNode): string =>
  item.kind === "scalar" && typeof item.value === "string" ? item.value.split("=")[0] : "";

/** An older name of a type: today's, with the older one kept as the plugin's name, as others refer to it by that. */
const typeNames: OldForm = (root) =>
  mapPlugins(root, (plugin) => {
    const type = childOf(plugin, "type");
    const old = textUnder(plugin, "type");
    const today = pluginType(old)?.type;
    if (type?.kind !== "scalar" || today === undefined || today === old) return plugin;
    const typed = inPlace(plugin, "type", { ...type, value: today });
    return textUnder(plugin, "name") === "" ? inPlace(typed, "name", { ...type, value: old }) : typed;
  });

/** `blockSize` of the producer: `blockSizeTokens`. */
const blockSize: OldForm = ofPlugins(["approx-prefix-cache-producer"], (plugin) => {
  const parameters = childOf(plugin, "parameters");
  if (parameters?.kind !== "map" || (numberUnder(parameters, "blockSize") ?? 0) <= 0) return plugin;
  if (parameters.entries.some(({ key }) => key.toLowerCase() === "blocksizetokens")) return plugin;
  return inPlace(plugin, "parameters", renamed(parameters, "blockSize", "blockSizeTokens"));
});

/** What the compiler understands wherever it stands, without giving the document another shape. */
const READ_IN_PLACE: readonly OldForm[] = [apiVersion, retiredGates, typeNames, blockSize];

/**
 * A document in the newest form, by the same old forms that the compiler applies. Parts that stay are the same objects;
 * the document itself is, when nothing in it is old.
 */
export function newestForm(root: ConfigMap): ConfigMap {
  const problems = new ProblemList();
  return [...OLD_FORMS, ...READ_IN_PLACE].reduce((document, form) => form(document, problems), root);
}

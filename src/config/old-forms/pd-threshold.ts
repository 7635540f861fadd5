import type { ConfigMap } from "../config-node.ts";
import { childOf } from "../config-node.ts";
import type { OldForm } from "./old-form.ts";
import {
  inPlace,
  mapOf,
  mapUnder,
  numberUnder,
  pluginNames,
  pluginsOf,
  textUnder,
  withEntry,
  withoutEntry,
  withPlugin,
  mapPlugins,
} from "./old-form.ts";

const HANDLER = "pd-profile-handler";
const ALWAYS = "always-disagg-pd-decider";
const PREFIX_BASED = "prefix-based-pd-decider";
/**
 * `threshold` and `hashBlockSize` of pd-profile-handler (llm-d-inference-scheduler 0.2 to 0.5), and a handler without a
 * decider: the threshold counts bytes of the prompt that the decode pod does not hold. 0 always prefills elsewhere, which
 * is always-disagg-pd-decider; above 0 it is prefix-based-pd-decider with that many nonCachedBytes. hashBlockSize has no
 * effect any more: prefixes tell the size of their blocks.
 */
export const pdThreshold: OldForm = (root, problems) => {
  const at = pluginsOf(root).findIndex((plugin) => textUnder(plugin, "type") === HANDLER);
  const handler = pluginsOf(root)[at];
  const parameters = handler?.kind === "map" ? mapUnder(handler, "parameters") : undefined;
  if (handler?.kind !== "map" || !parameters) return root;
  const old = parameters.entries.find(({ key }) => key === "threshold" || key === "hashBlockSize");
  const names = pluginNames(root);
  const decider = textUnder(parameters, "deciderPluginName");
  if (!old && (decider !== "" || names.has(PREFIX_BASED))) return root;
  const threshold = childOf(parameters, "threshold") ? numberUnder(parameters, "threshold") : 0;
  if (threshold === undefined) return root;
  const name = threshold > 0 ? PREFIX_BASED : ALWAYS;
  const said = threshold > 0 ? `${name} with nonCachedBytes ${threshold}` : name;
  const text = decider === "" ? `today the decider ${said}` : `which has no effect beside deciderPluginName`;
  const { place } = old?.value ?? handler;
  const where = ["plugins", at, ...(old ? ["parameters", old.key] : [])];
  problems.old(old?.keyPlace ?? place, where, `an older form of ${HANDLER}, ${text}`);
  const rest = withoutEntry(parameters, "threshold", "hashBlockSize");
  const given = decider === "" ? withEntry(rest, "deciderPluginName", mapOf({ name }, place).entries[0].value) : rest;
  const document = mapPlugins(root, (plugin, path) => (path[1] === at ? inPlace(plugin, "parameters", given) : plugin));
  return decider !== "" || names.has(name) ? document : withPlugin(document, deciderOf(name, threshold, place));
};

function deciderOf(type: string, nonCachedBytes: number, place: ConfigMap["place"]): ConfigMap {
  if (type === ALWAYS) return mapOf({ type }, place);
  return mapOf({ type, parameters: mapOf({ nonCachedBytes }, place) }, place);
}

import type { ConfigMap, ConfigNode } from "../config-node.ts";
import { childOf } from "../config-node.ts";
import { inPlace, mapOf, ofPlugins, withEntry } from "./old-form.ts";

const HANDLER = "disagg-profile-handler";

/** Flat keys in lower case, each with the group and the key that mean the same. Of two for one key the first counts. */
const FLAT: Readonly<Record<string, readonly [group: "profiles" | "deciders", key: string]>> = {
  decodeprofile: ["profiles", "decode"],
  prefillprofile: ["profiles", "prefill"],
  encodeprofile: ["profiles", "encode"],
  prefilldeciderpluginname: ["deciders", "prefill"],
  deciderpluginname: ["deciders", "prefill"],
  encodedeciderpluginname: ["deciders", "encode"],
};

/**
 * Flat parameters of disagg-profile-handler (llm-d-inference-scheduler 0.6 on; stock still takes them): today grouped
 * under `profiles` and `deciders`. Beside a group they stay, and are an error, as stock.
 */
export const disaggFlatKeys = ofPlugins([HANDLER], (plugin, path, problems) => {
  const parameters = childOf(plugin, "parameters");
  if (parameters?.kind !== "map" || parameters.entries.some(({ key }) => /^(profiles|deciders)$/i.test(key))) {
    return plugin;
  }
  const flat = parameters.entries.filter(({ key, value }) => Object.hasOwn(FLAT, key.toLowerCase()) && isText(value));
  if (flat.length === 0) return plugin;
  const byKey = new Map(flat.map(({ key, value }) => [key.toLowerCase(), value]));
  const groups: Record<string, ConfigMap> = {};
  for (const [old, [group, key]] of Object.entries(FLAT)) {
    const value = byKey.get(old);
    if (value?.kind !== "scalar" || value.value === "" || childOf(groups[group], key)) continue;
    groups[group] = withEntry(groups[group] ?? mapOf({}, value.place), key, value);
  }
  const names = flat.map(({ key }) => key).join(", ");
  problems.warn(flat[0].keyPlace, [...path, "parameters"], `an older form: ${names}; today profiles and deciders`);
  const kept = { ...parameters, entries: parameters.entries.filter((entry) => !flat.includes(entry)) };
  let nested: ConfigMap = kept;
  for (const [group, value] of Object.entries(groups)) nested = withEntry(nested, group, value);
  return inPlace(plugin, "parameters", nested);
});

const isText = (node: ConfigNode): boolean => node.kind === "scalar" && typeof node.value === "string";

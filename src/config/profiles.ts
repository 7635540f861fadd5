import type { ConfigDocument, ProfileSpec } from "./config-document.ts";
import type { ProblemList } from "./config-error.ts";
import type { ConfigPath } from "./config-node.ts";
import { placeOf } from "./config-node.ts";
import type { PluginEntry, PluginTable } from "./plugin-entry.ts";
import { References } from "./references.ts";

/** Weight of a scorer without one. */
const DEFAULT_WEIGHT = 1;

/** A scheduling profile: who filters, scores with which weight, and picks. */
export interface ProfileBlueprint {
  readonly name: string;
  readonly filters: readonly PluginEntry[];
  readonly scorers: readonly { readonly entry: PluginEntry; readonly weight: number }[];
  readonly picker: PluginEntry;
}

/** Sorts what profiles name by what it is; a plugin that is no filter, scorer or picker is passed over, as stock. */
export function readProfiles(document: ConfigDocument, table: PluginTable, problems: ProblemList): ProfileBlueprint[] {
  const names = new Set<string>();
  return document.profiles.flatMap((profile) => {
    const { name, path } = profile;
    const where: ConfigPath = [...path, "name"];
    if (name === "") problems.found(document.root, where, "the name of the profile");
    else if (names.has(name)) problems.found(document.root, where, "each profile name once");
    names.add(name);
    return readProfile(document, profile, table, problems) ?? [];
  });
}

function readProfile(
  { root }: ConfigDocument,
  profile: ProfileSpec,
  table: PluginTable,
  problems: ProblemList,
): ProfileBlueprint | undefined {
  const references = new References(root, table, problems);
  const filters: PluginEntry[] = [];
  const scorers: { entry: PluginEntry; weight: number }[] = [];
  let picker: PluginEntry | undefined;
  for (const { pluginRef, weight, path } of profile.plugins) {
    const entry = references.find(pluginRef, [...path, "pluginRef"]);
    const points = entry?.definition.points ?? [];
    if (points.includes("filter")) filters.push(entry!);
    if (points.includes("scorer")) scorers.push({ entry: entry!, weight: weight ?? DEFAULT_WEIGHT });
    if (!points.includes("picker")) continue;
    if (picker) problems.found(root, [...path, "pluginRef"], `one picker in a profile, and "${picker.name}" is one`);
    picker = entry;
  }
  return picker && { name: profile.name, filters, scorers, picker };
}

/** The profile handler: there must be exactly one. */
export function readHandler({ root, profiles }: ConfigDocument, table: PluginTable, problems: ProblemList) {
  const [handler, ...others] = table.at("profileHandler");
  for (const { path } of others) {
    if (path) problems.found(root, [...path, "type"], `one profile handler, and "${handler.name}" is one`);
  }
  const where = ["schedulingProfiles"];
  if (!handler && table.complete) {
    const found = `found ${profiles.length} profiles and no profile handler`;
    problems.at(placeOf(root, where), where, `${found}, expected a profile handler among the plugins`);
  } else if (handler?.definition.type === "single-profile-handler" && profiles.length > 1) {
    const found = `found ${profiles.length} profiles with a single-profile-handler`;
    problems.at(placeOf(root, where), where, `${found}, expected one profile, or another handler`);
  }
  return handler;
}

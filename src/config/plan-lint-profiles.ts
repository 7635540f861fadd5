import type { Lint } from "./plan-lint.ts";
import type { PluginEntry } from "./plugin-entry.ts";
import { labelDemands } from "./plan-lint-labels.ts";

/** Filters of a profile of which no endpoint passes all. */
export const contradictingFilters: Lint = {
  name: "contradicting-filters",
  doc: "Filters in a profile whose labels no endpoint can have at once: every request is refused.",
  find: ({ blueprint, written }) =>
    blueprint.profiles.flatMap((profile) => {
      const path = written.find(({ name }) => name === profile.name)?.path ?? ["schedulingProfiles"];
      const clash = contradiction(profile.filters);
      return clash ? [{ path, text: `profile ${profile.name} can have no candidates: ${clash}` }] : [];
    }),
};

function contradiction(filters: readonly PluginEntry[]): string | undefined {
  const allowed = new Map<string, { values: ReadonlySet<string>; by: string }>();
  for (const filter of filters) {
    for (const { label, values } of labelDemands(filter)) {
      const before = allowed.get(label);
      const both = before ? new Set([...before.values].filter((value) => values.has(value))) : values;
      if (both.size === 0) {
        const by = before ? `${before.by} and ${filter.name}` : filter.name;
        return `${by} allow no common value of label ${label}`;
      }
      allowed.set(label, { values: both, by: before ? `${before.by}, ${filter.name}` : filter.name });
    }
  }
  return undefined;
}

/** Profiles that a handler runs, by the names in its parameters; undefined when it may run any. */
function runBy({ definition, params }: PluginEntry): readonly string[] | undefined {
  if (!["disagg-profile-handler", "pd-profile-handler"].includes(definition.type)) return undefined;
  const given = (params ?? {}) as Record<string, unknown>;
  const nested = (given["profiles"] ?? {}) as Record<string, unknown>;
  const stages = definition.type === "pd-profile-handler" ? ["decode", "prefill"] : ["decode", "prefill", "encode"];
  return stages.map((stage) => {
    const name = nested[stage] ?? given[`${stage}Profile`];
    return typeof name === "string" && name !== "" ? name : stage;
  });
}

/** A profile that the handler never runs. */
export const idleProfile: Lint = {
  name: "idle-profile",
  doc: "A profile that the profile handler never runs.",
  find: ({ blueprint, written }) => {
    const names = runBy(blueprint.handler);
    if (!names) return [];
    return written
      .filter(({ name }) => !names.includes(name))
      .map(({ name, path }) => ({
        path,
        text: `${blueprint.handler.name} never runs profile ${name}: it runs ${names.join(", ")}`,
      }));
  },
};

/** A stage that a handler is to run without a profile for it. */
export const absentProfile: Lint = {
  name: "absent-profile",
  doc: "A profile that the profile handler needs and that is not there: without decode every request is refused.",
  find({ blueprint, written }) {
    const { handler, profiles } = blueprint;
    const [decode, prefill, encode] = runBy(handler) ?? [];
    const isThere = (wanted: string) => [...profiles, ...written].some(({ name }) => name === wanted);
    const absent = (name: string | undefined, then: string) =>
      name === undefined || isThere(name)
        ? []
        : [{ path: ["schedulingProfiles"], text: `${handler.name} finds no profile ${name}: ${then}` }];
    return [
      ...absent(decode, "every request is refused"),
      ...absent(decidesOn(handler, "prefill") ? prefill : undefined, "its decider is never asked"),
      ...absent(decidesOn(handler, "encode") ? encode : undefined, "its decider is never asked"),
    ];
  },
};

/** Whether a handler has a decider for a stage. */
function decidesOn({ definition, params }: PluginEntry, stage: string): boolean {
  const references = definition.references?.(params) ?? [];
  return references.some(
    ({ path }) => path.at(-1) === stage || (stage === "prefill" && path[0] === "deciderPluginName"),
  );
}

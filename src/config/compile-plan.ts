import { CORE_HEADERS } from "../core/control-headers.ts";
import type { ConfigSource } from "../core/events.ts";
import type { Named, Plan, PlanContext, Profile } from "../core/plan.ts";
import type { PluginInstance } from "../core/plugin.ts";
import type { Blueprint } from "./blueprint.ts";
import { readBlueprint } from "./blueprint.ts";
import { ConfigError } from "./config-error.ts";
import type { PluginEntry } from "./plugin-entry.ts";
import { topologicalOrder } from "./topological-order.ts";
import { unbuiltProblems } from "./unbuilt-parts.ts";

/** A plan with the blueprint that it was made from: the driver finds there what is not the core's (data layer, warnings). */
export interface EppPlan extends Plan {
  readonly blueprint: Blueprint;
}

/**
 * Makes the plan of a config: every plugin once, those that others name first. Frozen. Throws a ConfigError with all
 * that is wrong with the config, or with the parts of it that this release understands but does not build.
 */
export function compilePlan(source: ConfigSource, context: PlanContext): EppPlan {
  const blueprint = readBlueprint(source);
  if (blueprint.unbuilt.length > 0) throw new ConfigError(blueprint.options.file, unbuiltProblems(blueprint.unbuilt));
  // Those that are not built and serve all the same are behind a closed gate.
  const plugins = blueprint.plugins.filter(({ definition }) => definition.isBuilt !== false);
  const made = makePlugins(plugins, context);
  const named = <M extends keyof PluginInstance>({ name, definition }: PluginEntry): Named<M> => ({
    name,
    type: definition.type,
    plugin: made.get(name) as Named<M>["plugin"],
  });
  const having = <M extends keyof PluginInstance>(method: M, entries: readonly PluginEntry[]): Named<M>[] =>
    entries.filter(({ name }) => made.get(name)![method] !== undefined).map(named<M>);
  const { producers, parsers } = blueprint;
  const profiles = blueprint.profiles.map(({ name, filters, scorers, picker }): Profile => ({
    name,
    filters: filters.map(named<"filter">),
    scorers: scorers.map(({ entry, weight }) => ({ ...named<"score">(entry), weight })),
    picker: named<"pick">(picker),
  }));
  const media = producers.map(({ name }) => made.get(name)!.media).find((settings) => settings !== undefined);
  return frozen({
    blueprint,
    profiles,
    handler: named<"nextProfiles" | "finish">(blueprint.handler),
    screeners: having("screen", plugins),
    producers: having("produce", producers),
    admitters: having("deny", plugins),
    saturationDetector: named<"saturation">(blueprint.saturationDetector),
    parsers: parsers.map(({ name }) => made.get(name)!.parser!),
    plugins: plugins.map(named<never>),
    headerNames: headerNames(plugins),
    tokenizes: plugins.some(({ definition }) => definition.type === "token-producer"),
    ...(media && { media }),
    honoursSubset: blueprint.options.honoursSubset,
  });
}

function makePlugins(
  plugins: readonly PluginEntry[],
  { endpoints, seed, limits }: PlanContext,
): Map<string, PluginInstance> {
  const made = new Map<string, PluginInstance>();
  const referencesOf = ({ definition, params }: PluginEntry) => {
    const references = definition.references?.(params) ?? [];
    return plugins.filter(({ name }) => references.some((reference) => reference.name === name));
  };
  for (const { name, definition, params } of topologicalOrder(plugins, referencesOf).order ?? plugins) {
    const plugin = (other: string) => made.get(other);
    made.set(name, definition.create(params, { name, endpoints, seed, limits, plugin }));
  }
  return made;
}

function headerNames(plugins: readonly PluginEntry[]): readonly string[] {
  const own = plugins.flatMap(({ definition, params }) => definition.headerNames?.(params) ?? []);
  return [...new Set([...CORE_HEADERS, ...own])];
}

/** Freezes the plan's own lists and objects; the plugins in it live on. */
function frozen(plan: EppPlan): EppPlan {
  for (const profile of plan.profiles) {
    Object.freeze(profile.filters);
    Object.freeze(profile.scorers);
    Object.freeze(profile);
  }
  for (const part of Object.values(plan)) if (Array.isArray(part)) Object.freeze(part);
  return Object.freeze(plan);
}

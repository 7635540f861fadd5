import type { Endpoints } from "./endpoints.ts";
import type { ConfigSource } from "./events.ts";
import type { MediaSettings } from "./media.ts";
import type { Parser } from "./parser.ts";
import type { PluginInstance, PluginLimits } from "./plugin.ts";

/** A plugin with its name, having the methods M. */
export interface Named<M extends keyof PluginInstance> {
  readonly name: string;
  readonly type: string;
  readonly plugin: PluginInstance & Required<Pick<PluginInstance, M>>;
}

export interface WeightedScorer extends Named<"score"> {
  readonly weight: number;
}

/** One scheduling profile: filters in order, scorers with weights, one picker. */
export interface Profile {
  readonly name: string;
  readonly filters: readonly Named<"filter">[];
  readonly scorers: readonly WeightedScorer[];
  readonly picker: Named<"pick">;
}

/** A compiled config: the plugins, made and in order. Frozen. */
export interface Plan {
  readonly profiles: readonly Profile[];
  readonly handler: Named<"nextProfiles" | "finish">;
  readonly screeners: readonly Named<"screen">[];
  /** In the order of their data. */
  readonly producers: readonly Named<"produce">[];
  readonly admitters: readonly Named<"deny">[];
  readonly saturationDetector: Named<"saturation">;
  /** In the order in which they are asked. */
  readonly parsers: readonly Parser[];
  /** All plugins in the order of the config, those that defaulting made last. */
  readonly plugins: readonly { readonly name: string; readonly type: string; readonly plugin: PluginInstance }[];
  /** Lower-case names of the request headers that any part of the plan reads. */
  readonly headerNames: readonly string[];
  /** True when the estimate tokeniser is to run over prompts. */
  readonly tokenizes: boolean;
  /** How media count in it; absent = `DEFAULT_MEDIA`. */
  readonly media?: MediaSettings;
  /** False when the subset hint is ignored (--disable-endpoint-subset-filter). */
  readonly honoursSubset: boolean;
}

/** What the core gives a plan's compiler. */
export interface PlanContext {
  readonly endpoints: Endpoints;
  readonly seed: number;
  readonly limits: PluginLimits;
}

/** Makes a plan of a config; throws with all the config's errors. Injected, as the core knows no config language. */
export type CompilePlan = (source: ConfigSource, context: PlanContext) => Plan;

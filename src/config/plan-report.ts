import type { Blueprint } from "./blueprint.ts";
import { pathText } from "./config-node.ts";
import type { DataLayerPlugin } from "./data-layer.ts";
import { createdBecause } from "./plan-created.ts";
import type { DataFlow } from "./plan-data-flow.ts";
import { dataFlows } from "./plan-data-flow.ts";
import type { PluginEntry } from "./plugin-entry.ts";

/** What a config comes to, as plain data: JSON for programs, laid out by `warmpath check` for people. */
export interface PlanReport {
  readonly plugins: readonly PluginReport[];
  readonly profileHandler: string;
  readonly profiles: readonly ProfileReport[];
  /** Names, in the order in which their data allows them to run. */
  readonly producers: readonly string[];
  readonly data: readonly DataFlow[];
  /** Names, in the order in which they are asked. */
  readonly parsers: readonly string[];
  readonly saturationDetector: string;
  /** Null without the feature gate flowControl. */
  readonly flowControl: Blueprint["flowControl"] | null;
  /** `discovery`: null when endpoints come from Kubernetes. */
  readonly dataLayer: {
    readonly discovery: string | null;
    readonly sources: readonly { readonly name: string; readonly extractors: readonly string[] }[];
  };
}

interface PluginReport {
  readonly name: string;
  readonly type: string;
  readonly points: readonly string[];
  /** Path in the config; null when defaulting made it. */
  readonly declaredAt: string | null;
  /** Why defaulting made it; null when the config declares it. */
  readonly createdBecause: string | null;
  /** With defaults; durations in microseconds. */
  readonly parameters: unknown;
  /** Names of those that differ from the type's defaults. */
  readonly changed: readonly string[];
}

interface ProfileReport {
  readonly name: string;
  readonly filters: readonly string[];
  readonly scorers: readonly {
    readonly name: string;
    readonly weight: number;
    /** Share of the greatest total score that it can give, 0..1; null when no total is above 0. */
    readonly share: number | null;
  }[];
  readonly picker: string;
}

export function planReport(blueprint: Blueprint): PlanReport {
  const { plugins, profiles, handler, producers, parsers, saturationDetector, dataLayer } = blueprint;
  return {
    plugins: plugins.map((entry) => ({
      name: entry.name,
      type: entry.definition.type,
      points: entry.definition.points,
      declaredAt: entry.path ? pathText(entry.path) : null,
      createdBecause: entry.path ? null : createdBecause(entry, blueprint),
      parameters: entry.params,
      changed: changedParameters(entry),
    })),
    profileHandler: handler.name,
    profiles: profiles.map(profileReport),
    producers: producers.map(({ name }) => name),
    data: dataFlows(plugins),
    parsers: parsers.map(({ name }) => name),
    saturationDetector: saturationDetector.name,
    flowControl: blueprint.flowControl ?? null,
    dataLayer: {
      discovery: dataLayer.discovery?.name ?? null,
      sources: dataLayer.sources.map(({ name, extractors }) => ({ name, extractors: extractors.map(nameOf) })),
    },
  };
}

function changedParameters({ definition, params }: PluginEntry): string[] {
  const defaults = definition.params.safeParse({});
  const before = (defaults.success ? defaults.data : {}) as Readonly<Record<string, unknown>>;
  return Object.entries((params ?? {}) as Readonly<Record<string, unknown>>)
    .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name]))
    .map(([name]) => name);
}

const nameOf = ({ name }: DataLayerPlugin): string => name;

function profileReport({ name, filters, scorers, picker }: Blueprint["profiles"][number]): ProfileReport {
  const sum = scorers.reduce((total, { weight }) => total + Math.max(0, weight), 0);
  return {
    name,
    filters: filters.map((entry) => entry.name),
    scorers: scorers.map(({ entry, weight }) => ({
      name: entry.name,
      weight,
      share: sum > 0 ? Math.max(0, weight) / sum : null,
    })),
    picker: picker.name,
  };
}

import { pluginType } from "../plugins/list.ts";
import { CORE_METRICS_EXTRACTOR } from "../plugins/signals.ts";
import type { ConfigDocument, ProfileSpec } from "./config-document.ts";
import { DEFAULT_POLICIES } from "./flow-control.ts";
import type { PluginTable } from "./plugin-entry.ts";

const METRICS_DATA_SOURCE = "metrics-data-source";
const MAX_SCORE_PICKER = "max-score-picker";
const SINGLE_PROFILE_HANDLER = "single-profile-handler";
const UTILIZATION_DETECTOR = "utilization-detector";
const DEFAULT_PARSERS = ["openai-parser", "anthropic-parser", "vllmhttp-parser", "passthrough-parser"] as const;

/**
 * Fills in what a config leaves out, step by step in the stock's order, as later steps see what earlier ones made
 * (`spec/epp-core.md` 4.4; stock: config/loader/defaults.go). Data producers follow when references are known.
 */
export function defaulted(document: ConfigDocument, table: PluginTable): ConfigDocument {
  const profiles = defaultProfiles(document, table);
  if (profiles.length === 1 && table.at("profileHandler").length === 0) table.inject(SINGLE_PROFILE_HANDLER);
  const withPickers = defaultPickers(profiles, table);
  if (document.gates.flowControl) for (const type of DEFAULT_POLICIES) table.inject(type);
  const parsers = defaultParsers(document, table);
  const detector = document.flowControl.saturationDetector?.pluginRef || UTILIZATION_DETECTOR;
  if (detector === UTILIZATION_DETECTOR) table.inject(UTILIZATION_DETECTOR);
  return {
    ...document,
    profiles: withPickers,
    requestHandler: { parsers },
    flowControl: { ...document.flowControl, saturationDetector: { pluginRef: detector } },
    dataLayer: defaultDataLayer(document, table),
  };
}

/** No profile at all: one with every filter, scorer and picker that is declared. */
function defaultProfiles({ profiles }: ConfigDocument, table: PluginTable): readonly ProfileSpec[] {
  if (profiles.length > 0) return profiles;
  const declared = table.at("filter", "scorer", "picker").filter(({ made }) => !made);
  const plugins = declared.map(({ name }) => ({ pluginRef: name, path: [] }));
  return [{ name: "default", plugins, path: ["schedulingProfiles"] }];
}

/** A profile without a picker gets the first one declared (stock: any of them), or max-score-picker when there is none. */
function defaultPickers(profiles: readonly ProfileSpec[], table: PluginTable): readonly ProfileSpec[] {
  if (table.at("picker").length === 0) table.inject(MAX_SCORE_PICKER);
  const picker = table.at("picker")[0]?.name ?? MAX_SCORE_PICKER;
  return profiles.map((profile) => {
    const hasPicker = profile.plugins.some(({ pluginRef }) =>
      table.get(pluginRef)?.definition.points.includes("picker"),
    );
    if (hasPicker) return profile;
    return { ...profile, plugins: [...profile.plugins, { pluginRef: picker, path: profile.path }] };
  });
}

/** A parser that is named but not declared is made by its type. */
function defaultParsers({ requestHandler }: ConfigDocument, table: PluginTable) {
  const { parsers } = requestHandler;
  if (parsers.length > 0) {
    for (const { pluginRef } of parsers) if (pluginType(pluginRef)) table.inject(pluginRef);
    return parsers;
  }
  for (const type of DEFAULT_PARSERS) table.inject(type);
  return DEFAULT_PARSERS.map((pluginRef) => ({ pluginRef }));
}

function defaultDataLayer({ dataLayer }: ConfigDocument, table: PluginTable): ConfigDocument["dataLayer"] {
  const { injectDefaults, sources } = dataLayer;
  if (!injectDefaults || sources.some(({ pluginRef }) => pluginRef === METRICS_DATA_SOURCE)) return dataLayer;
  table.inject(METRICS_DATA_SOURCE);
  table.inject(CORE_METRICS_EXTRACTOR);
  const source = { pluginRef: METRICS_DATA_SOURCE, extractors: [{ pluginRef: CORE_METRICS_EXTRACTOR }] };
  return { ...dataLayer, sources: [...sources, source] };
}

import type { ConfigSource } from "../core/events.ts";
import type { ConfigDocument } from "./config-document.ts";
import { readDocument } from "./config-document.ts";
import { childOf, placeOf } from "./config-node.ts";
import { ConfigError, ProblemList, problemLine } from "./config-error.ts";
import type { DataLayer } from "./data-layer.ts";
import { readDataLayer } from "./data-layer.ts";
import { createProducers, orderProducers } from "./data-order.ts";
import { defaulted } from "./defaulting.ts";
import type { FeatureGates } from "./feature-gates.ts";
import type { FlowControlBlueprint } from "./flow-control.ts";
import { readFlowControl } from "./flow-control.ts";
import { withFlagTranslations } from "./flag-translations.ts";
import type { PluginEntry } from "./plugin-entry.ts";
import { PluginTable } from "./plugin-entry.ts";
import type { ProfileBlueprint } from "./profiles.ts";
import { readHandler, readProfiles } from "./profiles.ts";
import { checkReferences, readDetector, readParsers } from "./references.ts";
import type { UnbuiltPart } from "./unbuilt-parts.ts";
import { isFlowControlPolicy, unbuiltParts } from "./unbuilt-parts.ts";

/** Options of a `ConfigSource` that the compiler reads, named as the flags. */
interface BlueprintOptions {
  /** Name of the config in messages. */
  readonly file: string;
  readonly allowsExperimental: boolean;
  readonly honoursSubset: boolean;
  /** Refuses whatever the recorded stock release refuses, old forms too. */
  readonly strict: boolean;
}

/** A config with everything decided and nothing made: what `compilePlan` builds, what a driver reads before it starts. */
export interface Blueprint {
  readonly options: BlueprintOptions;
  /** In the order of the config, those that defaulting made last. */
  readonly plugins: readonly PluginEntry[];
  readonly profiles: readonly ProfileBlueprint[];
  readonly handler: PluginEntry;
  /** In the order of their data. */
  readonly producers: readonly PluginEntry[];
  readonly parsers: readonly PluginEntry[];
  readonly saturationDetector: PluginEntry;
  readonly dataLayer: DataLayer;
  readonly gates: FeatureGates;
  /** Undefined when its gate is closed. */
  readonly flowControl: FlowControlBlueprint | undefined;
  /** What this release understands and cannot serve with: empty, or `compilePlan` refuses. */
  readonly unbuilt: readonly UnbuiltPart[];
  /** What is old in the config, one line each, with its place. */
  readonly warnings: readonly string[];
}

/**
 * Reads a config and decides everything: types, parameters, defaults in the stock's order (`spec/epp-core.md` 4.4),
 * references, data. Throws a ConfigError with all that is wrong.
 */
export function readBlueprint(source: ConfigSource): Blueprint {
  const options = optionsOf(source);
  const problems = new ProblemList(options.strict);
  const document = readDocument(source.text, problems);
  const blueprint = document && build(document, options, problems);
  if (!blueprint || problems.problems.length > 0) throw new ConfigError(options.file, problems.problems);
  return withFlagTranslations(blueprint, document.root, source.options);
}

function build(written: ConfigDocument, options: BlueprintOptions, problems: ProblemList): Blueprint | undefined {
  const table = new PluginTable(written, problems, options.allowsExperimental);
  warnOfNoEffect(written, table, problems);
  const document = defaulted(written, table);
  const profiles = readProfiles(document, table, problems);
  const handler = readHandler(document, table, problems);
  const parsers = readParsers(document, table, problems);
  const saturationDetector = readDetector(document, table, problems);
  const flowControl = readFlowControl(document, table, problems);
  checkReferences(document, table, problems);
  const before = problems.problems.length;
  const dataLayer = readDataLayer(document, table, problems);
  // Where a plugin is missing, so is what it would produce: data is looked at only when all are there.
  const complete = table.complete && problems.problems.length === before;
  const producers = complete && createProducers(document, table, problems) && orderProducers(document, table, problems);
  if (!handler || !saturationDetector || !producers) return undefined;
  const warnings = problems.warnings.map((warning) => problemLine(options.file, warning));
  const { entries: plugins } = table;
  const decided = {
    options,
    plugins,
    profiles,
    handler,
    producers,
    parsers,
    saturationDetector,
    dataLayer,
    flowControl,
  };
  return { ...decided, gates: document.gates, unbuilt: unbuiltParts(document, plugins), warnings };
}

function optionsOf({ options }: ConfigSource): BlueprintOptions {
  const file = options["config-file"];
  return {
    file: typeof file === "string" && file !== "" ? file : "config",
    allowsExperimental: options["allow-experimental-plugins"] === true,
    honoursSubset: options["disable-endpoint-subset-filter"] !== true,
    strict: options["strict-config"] === true,
  };
}

function warnOfNoEffect({ root, gates }: ConfigDocument, table: PluginTable, problems: ProblemList): void {
  if (gates.flowControl) return;
  const text = "has no effect without the feature gate flowControl";
  const flowControl = childOf(root, "flowControl");
  for (const { key, keyPlace } of flowControl?.kind === "map" ? flowControl.entries : []) {
    if (key !== "saturationDetector") problems.warn(keyPlace, ["flowControl", key], text);
  }
  for (const entry of table.entries) {
    const where = [...(entry.path ?? []), "type"];
    if (isFlowControlPolicy(entry)) problems.warn(placeOf(root, where), where, text);
  }
}

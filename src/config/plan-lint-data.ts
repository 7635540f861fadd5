import { dataFlows } from "./plan-data-flow.ts";
import type { Lint, LintedPlan } from "./plan-lint.ts";
import type { PluginEntry } from "./plugin-entry.ts";

/** Names of plugins that profiles use, whatever for. */
const inProfiles = ({ blueprint }: LintedPlan): Set<string> =>
  new Set(
    blueprint.profiles.flatMap(({ filters, scorers, picker }) =>
      [...filters, ...scorers.map(({ entry }) => entry), picker].map(({ name }) => name),
    ),
  );

/** Names of extractors that some source feeds. */
const fedExtractors = ({ blueprint }: LintedPlan): Set<string> =>
  new Set(blueprint.dataLayer.sources.flatMap(({ extractors }) => extractors.map(({ name }) => name)));

/** Extractors that hang themselves on a source (`spec/plugins.md` 10.5). */
const SELF_FED = "topology-extractor";

/** Whether a plugin brings data only when a source feeds it. */
const needsSource = (entry: PluginEntry | undefined): boolean =>
  entry !== undefined &&
  entry.definition.type !== SELF_FED &&
  entry.definition.points.every((point) => point === "extractor");

/** A signal whose extractor no source feeds, or that has no extractor. */
export const signalNobodyBrings: Lint = {
  name: "signal-nobody-brings",
  doc: "A plugin reads data that nobody gives: an extractor under no source, or a producer that is not there.",
  find: (plan) => {
    const fed = fedExtractors(plan);
    const used = inProfiles(plan);
    const byName = new Map(plan.blueprint.plugins.map((entry) => [entry.name, entry]));
    const brings = (name: string): boolean => !needsSource(byName.get(name)) || fed.has(name);
    const flows = dataFlows(plan.blueprint.plugins);
    const brought = flows.filter(({ producers }) => producers.some(brings));
    // What is only made use of counts where a plugin has nothing else to go by.
    const knows = ({ name }: PluginEntry): boolean =>
      brought.some(
        ({ producers, readers }) => producers.includes(name) || readers.some((reader) => reader.name === name),
      );
    return flows
      .filter((flow) => !brought.includes(flow))
      .flatMap(({ kind, producers, readers }) =>
        readers.flatMap((reader) => {
          const entry = byName.get(reader.name);
          if (!entry?.path || !(reader.required || (used.has(reader.name) && !knows(entry)))) return [];
          const why =
            producers.length > 0
              ? `${producers.join(", ")} stands under no source of dataLayer.sources`
              : "no plugin produces it";
          return [{ path: entry.path, text: `${reader.name} reads ${kind}, which nobody brings: ${why}` }];
        }),
      );
  },
};

/** Points of a plugin that is there for its data alone. */
const DATA_POINTS: ReadonlySet<string> = new Set(["producer", "extractor", "requestControl"]);

/** A declared producer for nobody. */
export const unreadProducer: Lint = {
  name: "unread-producer",
  doc: "A declared producer whose data no plugin reads: it costs time on each request.",
  find: ({ blueprint }) => {
    const flows = dataFlows(blueprint.plugins);
    return blueprint.producers.flatMap((entry) => {
      const own = flows.filter(({ producers }) => producers.includes(entry.name));
      const produces = entry.definition.points.every((point) => DATA_POINTS.has(point));
      if (!entry.path || !produces || own.length === 0 || own.some(({ readers }) => readers.length > 0)) return [];
      const kinds = own.map(({ kind }) => kind).join(", ");
      return [{ path: entry.path, text: `${entry.name} produces ${kinds}, which no plugin reads` }];
    });
  },
};

/** Points at which a plugin works only when something names it. */
const NAMED_POINTS: ReadonlySet<string> = new Set([
  "filter",
  "scorer",
  "picker",
  "parser",
  "dataSource",
  "extractor",
  "discovery",
]);

/** A declared plugin that nothing names. */
export const unusedPlugin: Lint = {
  name: "unused-plugin",
  doc: "A declared plugin that no profile, parser list or data layer names: it never works.",
  find: (plan) => {
    const { plugins, parsers, dataLayer, saturationDetector } = plan.blueprint;
    const named = new Set([...inProfiles(plan), ...fedExtractors(plan), saturationDetector.name]);
    for (const { name } of [...parsers, ...dataLayer.sources]) named.add(name);
    if (dataLayer.discovery) named.add(dataLayer.discovery.name);
    for (const { definition, params } of plugins)
      for (const { name } of definition.references?.(params) ?? []) named.add(name);
    return plugins.flatMap((entry) =>
      entry.path && worksWhenNamed(entry) && !named.has(entry.name)
        ? [{ path: entry.path, text: `nothing names ${entry.name}: it never works` }]
        : [],
    );
  },
};

const worksWhenNamed = ({ definition }: PluginEntry): boolean =>
  definition.points.length > 0 &&
  definition.type !== SELF_FED &&
  definition.points.every((point) => NAMED_POINTS.has(point) || point === "saturationDetector");

/** An index of KV events that nobody feeds. */
export const unfedIndex: Lint = {
  name: "unfed-index",
  doc: "A precise prefix index without events: it stands under no source and listens at no zmqEndpoint.",
  find: (plan) =>
    plan.blueprint.plugins.flatMap((entry) => {
      const { name, path, definition, params } = entry;
      if (definition.type !== "precise-prefix-cache-producer" || !path || fedExtractors(plan).has(name)) return [];
      const { kvEventsConfig } = params as { kvEventsConfig?: { zmqEndpoint?: string } };
      if (kvEventsConfig?.zmqEndpoint) return [];
      const text = `${name} gets no events: it stands under no source of dataLayer.sources and has no zmqEndpoint`;
      return [{ path, text }];
    }),
};

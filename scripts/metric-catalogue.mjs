/**
 * Every family that a picker's metrics page can have, made from what the program itself registers: the tables of
 * src/observability and src/plugins, and a page of an idle picker for the rest.
 * @param modules what src/observability, src/plugins, src/server and src/config export, and prom-client's Registry
 */
export function metricCatalogue(modules) {
  const { families, counters, gauges, histograms } = modules;
  const { EXCHANGE_FAMILIES, SCHEDULER_FAMILIES, STREAM_FAMILIES, DATA_LAYER_FAMILIES } = families;
  const { INFO_FAMILY, RESPONSES_FAMILY } = families;
  const stock = [EXCHANGE_FAMILIES, SCHEDULER_FAMILIES, DATA_LAYER_FAMILIES, STREAM_FAMILIES].flatMap(Object.values);
  const ofPlugin = ["plugin_name", "plugin_type"];
  const entries = [
    ...[...stock, INFO_FAMILY, RESPONSES_FAMILY].map(({ deprecated, ...family }) => ({
      ...family,
      olderName: deprecated?.name,
    })),
    ...counters.PLUGIN_COUNTERS.map((family) => entryOf("counter", family, [...ofPlugin, ...family.labelNames])),
    ...gauges.PLUGIN_GAUGES.map((family) => entryOf("gauge", family, family.labelNames)),
    ...histograms.PLUGIN_HISTOGRAMS.map((family) => entryOf("histogram", family, ofPlugin)),
  ];
  const known = new Set(entries.flatMap(({ name, olderName }) => [name, olderName]));
  const others = idlePage(modules).filter(({ name }) => !known.has(name) && /^(llm_d|inference|warmpath)_/.test(name));
  const older = new Map(others.flatMap(({ name, help }) => (olderOf(help) ? [[olderOf(help), name]] : [])));
  for (const { name, help, type, labelNames } of others) {
    if (!olderOf(help)) entries.push({ name, type, help, labels: labelNames, olderName: older.get(name) });
  }
  return entries.map(({ help, ...entry }) => ({ ...entry, help: help.replace(/^\[ALPHA\] /, "") }));
}

const entryOf = (type, { name, help, olderName, buckets }, labels) => ({
  name,
  type,
  help,
  olderName,
  buckets,
  labels,
});

/** The current name that a deprecated family's help names. */
const olderOf = (help) => /\[Deprecated: Use (\w+)\]/i.exec(help)?.[1];

function idlePage({ pool, driver: { CoreDriver }, compile: { compilePlan }, Registry }) {
  const registry = new Registry();
  const driver = new CoreDriver({ compile: compilePlan, seed: 1, nowUs: () => 0 });
  driver.load({ text: "", options: {} });
  pool.registerPoolMetrics({
    registry,
    driver,
    poolName: "pool",
    freshWithinUs: 0,
    streamCount: () => 0,
    bodyBytesInFlight: () => 0,
  });
  driver.close();
  return registry.getMetricsAsArray();
}

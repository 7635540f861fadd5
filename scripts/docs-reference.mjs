/**
 * Writes docs/reference from the built program. `npm run build` first. The unit test beside it fails when the pages and
 * the source differ.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Registry } from "prom-client";
import { metricCatalogue } from "./metric-catalogue.mjs";
import { purposes, referencePages } from "./reference-pages.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = new URL(`${process.env.WARMPATH_DIST ?? "../dist"}/`, import.meta.url);
const load = (path) => import(new URL(path, dist).href);

const [table, old, { PLUGINS }, jsonSchema, { DEFAULT_CONFIG_TEXT }, { pluginExample }] = await Promise.all(
  [
    "config/epp-flag-table.js",
    "config/old-flags.js",
    "plugins/list.js",
    "config/json-schema.js",
    "config/default-config.js",
    "config/plugin-example.js",
  ].map(load),
);
const [families, counters, gauges, histograms, pool, driver, compile] = await Promise.all(
  [
    "observability/stock-families.js",
    "plugins/counters.js",
    "plugins/gauges.js",
    "plugins/histograms.js",
    "observability/pool-metrics.js",
    "server/core-driver.js",
    "config/compile-plan.js",
  ].map(load),
);
const pages = await referencePages({
  flags: { ...table, ...old },
  plugins: PLUGINS,
  jsonSchema,
  defaultConfig: DEFAULT_CONFIG_TEXT,
  example: pluginExample,
  metrics: metricCatalogue({ families, counters, gauges, histograms, pool, driver, compile, Registry }),
  purposes: await purposes(root, (from) => load(join("plugins", from.replace(/\.ts$/, ".js")))),
});
const folder = join(root, "docs/reference");
rmSync(join(folder, "plugins"), { recursive: true, force: true });
mkdirSync(join(folder, "plugins"), { recursive: true });
for (const [name, text] of Object.entries(pages)) writeFileSync(join(folder, name), text);
console.log(`docs/reference: ${Object.keys(pages).length} pages`);

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { DEFAULT_CONFIG_TEXT } from "../src/config/default-config.ts";
import * as table from "../src/config/epp-flag-table.ts";
import * as jsonSchema from "../src/config/json-schema.ts";
import * as old from "../src/config/old-flags.ts";
import * as compile from "../src/config/compile-plan.ts";
import * as pool from "../src/observability/pool-metrics.ts";
import * as families from "../src/observability/stock-families.ts";
import * as counters from "../src/plugins/counters.ts";
import * as gauges from "../src/plugins/gauges.ts";
import * as histograms from "../src/plugins/histograms.ts";
import * as driver from "../src/server/core-driver.ts";
import { pluginExample } from "../src/config/plugin-example.ts";
import { PLUGINS } from "../src/plugins/list.ts";
import { metricCatalogue } from "./metric-catalogue.mjs";
import { purposes, referencePages } from "./reference-pages.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages: Readonly<Record<string, string>> = await referencePages({
  flags: { ...table, ...old },
  plugins: PLUGINS,
  jsonSchema,
  defaultConfig: DEFAULT_CONFIG_TEXT,
  example: pluginExample,
  metrics: metricCatalogue({ families, counters, gauges, histograms, pool, driver, compile, Registry }),
  purposes: await purposes(root, (from: string) => import(join(root, "src/plugins", from))),
});

describe("the reference in docs/reference", () => {
  it.each(Object.keys(pages))("has %s as the source makes it; `npm run docs:reference` writes it anew", (name) => {
    expect(readFileSync(join(root, "docs/reference", name), "utf8")).toBe(pages[name]);
  });

  it("has no page of a plugin that is gone", () => {
    const files = readdirSync(join(root, "docs/reference/plugins")).map((name) => `plugins/${name}`);
    expect(files.filter((name) => !(name in pages))).toEqual([]);
  });

  it("names every flag and every built plugin type", () => {
    const flags = Object.values(table.EPP_FLAG_GROUPS).flatMap((group) => Object.values(group));
    for (const { name } of flags) expect(pages["flags.md"]).toContain(`--${name}\``);
    for (const { type } of PLUGINS) expect(pages["plugins.md"]).toContain(`[${type}](plugins/${type}.md)`);
  });

  it("tells limits, defaults and data", () => {
    expect(pages["plugins/utilization-detector.md"]).toMatch(
      /`kvCacheUtilThreshold` +\| number, above 0 to 1 +\| `0.8` +\|/,
    );
    expect(pages["plugins/queue-scorer.md"]).toContain("- Requires: `WaitingQueueSize/core-metrics-extractor`");
    expect(pages["config.md"]).toMatch(/`crossReplicaSyncInterval` +\| text/);
  });
});

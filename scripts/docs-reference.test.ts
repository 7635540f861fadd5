import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { DEFAULT_CONFIG_TEXT } from "../src/config/default-config.ts";
import * as table from "../src/config/epp-flag-table.ts";
import * as jsonSchema from "../src/config/json-schema.ts";
import * as old from "../src/config/old-flags.ts";
import { PLUGINS } from "../src/plugins/list.ts";
import { purposes, referencePages } from "./reference-pages.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages: Readonly<Record<string, string>> = await referencePages({
  flags: { ...table, ...old },
  plugins: PLUGINS,
  jsonSchema,
  defaultConfig: DEFAULT_CONFIG_TEXT,
  purposes: await purposes(root, (from: string) => import(join(root, "src/plugins", from))),
});

describe("the reference in docs/reference", () => {
  it.each(Object.keys(pages))("has %s as the source makes it; `npm run docs:reference` writes it anew", (name) => {
    expect(readFileSync(join(root, "docs/reference", name), "utf8")).toBe(pages[name]);
  });

  it("names every flag and every built plugin type", () => {
    const flags = Object.values(table.EPP_FLAG_GROUPS).flatMap((group) => Object.values(group));
    for (const { name } of flags) expect(pages["flags.md"]).toContain(`--${name}\``);
    for (const { type } of PLUGINS) expect(pages["plugins.md"]).toContain(`### ${type}\n`);
  });

  it("tells limits, defaults and data", () => {
    const section = pages["plugins.md"].split("### ").find((text) => text.startsWith("utilization-detector"))!;
    expect(section).toMatch(/`kvCacheUtilThreshold` +\| number, above 0 to 1 +\| `0.8` +\|/);
    expect(pages["plugins.md"]).toContain("- Requires: `WaitingQueueSize/core-metrics-extractor`");
    expect(pages["config.md"]).toMatch(/`crossReplicaSyncInterval` +\| text/);
  });
});

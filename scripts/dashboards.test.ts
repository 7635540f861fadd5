import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { dashboardJson, dashboardNames, dashboardSource } from "./dashboards.mjs";

const folder = new URL("../deploy/monitoring/dashboards/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), "utf8");

describe("the dashboards in deploy/monitoring", () => {
  it.each(dashboardNames())(
    "have %s as its source says; `node scripts/dashboards.mjs` writes it anew",
    async (name: string) => {
      expect(read(`${name}.json`)).toBe(await dashboardJson(name));
    },
  );

  it("are all in the kustomization", () => {
    const { configMapGenerator } = parse(read("kustomization.yaml")) as { configMapGenerator: { files: string[] }[] };
    const files = configMapGenerator.flatMap(({ files: own }) => own);
    expect(files.toSorted()).toEqual(dashboardNames().map((name: string) => `${name}.json`));
    expect(files.length).toBeGreaterThan(2);
  });

  it("leave no selector unreplaced, and no two panels on one place", async () => {
    for (const name of dashboardNames()) {
      const text = await dashboardJson(name);
      expect(text).not.toContain("undefined");
      expect(text).not.toMatch(/<\w+>/);
      const { panels } = JSON.parse(text) as { panels: { gridPos: { x: number; y: number; w: number } }[] };
      const places = panels.map(({ gridPos: { x, y } }) => `${x},${y}`);
      expect(new Set(places).size).toBe(places.length);
      for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      const asked = dashboardSource(name).rows.flatMap((row: { panels: unknown[] }) => row.panels).length;
      expect(panels.length).toBe(asked + dashboardSource(name).rows.length);
    }
  });
});

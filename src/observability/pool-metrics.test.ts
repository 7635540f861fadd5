import { describe, expect, it } from "vitest";
import { endpoint, testCompiler } from "../core/test-support/test-plan.ts";
import type { PluginInstance } from "../core/plugin.ts";
import { CoreDriver } from "../server/core-driver.ts";
import { Registry } from "prom-client";
import { registerPoolMetrics } from "./pool-metrics.ts";

function setUp(plugins: readonly PluginInstance[] = []) {
  let atUs = 0;
  const driver = new CoreDriver({ compile: testCompiler(() => plugins), seed: 1, nowUs: () => atUs++ });
  driver.load({ text: "", options: {} });
  driver.upsert(endpoint("a"));
  const registry = new Registry();
  registerPoolMetrics({
    registry,
    driver,
    poolName: "p",
    freshWithinUs: 1000,
    streamCount: () => 0,
    bodyBytesInFlight: () => 0,
  });
  const page = async (family: string) =>
    (await registry.metrics()).split("\n").filter((line) => line.startsWith(`${family}{`));
  return { page };
}

describe("the pool's metrics", () => {
  it("come without the gauges of a plugin that throws, and with all others", async () => {
    const broken: PluginInstance = {
      gauges() {
        throw new Error("boom");
      },
    };
    const { page } = setUp([broken, { gauges: () => ({ size: 7 }) }]);
    expect(await page("warmpath_plugin_gauge")).toEqual([
      'warmpath_plugin_gauge{plugin_name="plugin-2",gauge="size"} 7',
    ]);
  });
});

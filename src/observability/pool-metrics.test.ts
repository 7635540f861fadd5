import { describe, expect, it } from "vitest";
import { endpoint, facts, testCompiler } from "../core/test-support/test-plan.ts";
import type { PluginInstance } from "../core/plugin.ts";
import { CoreDriver } from "../server/core-driver.ts";
import { createPoolMetrics } from "./pool-metrics.ts";

function setUp(plugins: readonly PluginInstance[] = []) {
  let atUs = 0;
  const driver = new CoreDriver({ compile: testCompiler(() => plugins), seed: 1, nowUs: () => atUs++ });
  driver.load({ text: "", options: {} });
  driver.upsert(endpoint("a"));
  const registry = createPoolMetrics({
    driver,
    poolName: "p",
    freshWithinUs: 1000,
    streamCount: () => 0,
    bodyBytesInFlight: () => 0,
  });
  const send = (model: string, fairness = "f"): void => {
    const headers = { "x-llm-d-inference-fairness-id": fairness };
    driver.ended(driver.arrive(facts(0, { model, headers }), { decided: () => undefined }), "natural");
  };
  const page = async (family: string) =>
    (await registry.metrics()).split("\n").filter((line) => line.startsWith(`${family}{`));
  return { driver, send, page };
}

describe("the pool's metrics", () => {
  it("count requests by model, and hold no name that is longer than a name is", async () => {
    const { send, page } = setUp();
    for (let i = 0; i < 3; i++) send("x".repeat(1000) + i, "y".repeat(1000) + i);
    send("m");
    expect(await page("llm_d_epp_request_total")).toEqual([
      'llm_d_epp_request_total{model_name="other",target_model_name="other",fairness_id="other",priority="0"} 3',
      'llm_d_epp_request_total{model_name="m",target_model_name="m",fairness_id="f",priority="0"} 1',
    ]);
  });

  it("hold at most 20,000 sets of names", async () => {
    const { send, page } = setUp();
    for (let model = 0; model < 150; model++) for (let flow = 0; flow < 150; flow++) send(`m${model}`, `f${flow}`);
    const lines = await page("llm_d_epp_request_total");
    expect(lines).toHaveLength(20_001);
    expect(lines.at(-1)).toBe(
      'llm_d_epp_request_total{model_name="other",target_model_name="other",fairness_id="other",priority="0"} 2500',
    );
  });

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

import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import type { Plan } from "../core/plan.ts";
import type { PluginInstance } from "../core/plugin.ts";
import { PluginHistogram, PREFIX_HIT_RATIO } from "../plugins/histograms.ts";
import { registerPluginMeasures } from "./plugin-measures.ts";

const SIZE = "llm_d_epp_prefix_indexer_size";
const RATIO = "llm_d_epp_prefix_indexer_hit_ratio";

async function linesOf(plugins: readonly PluginInstance[], family: RegExp): Promise<readonly string[]> {
  const registry = new Registry();
  const named = plugins.map((plugin, i) => ({ name: `plugin-${i}`, type: "test", plugin }));
  registerPluginMeasures(registry, () => ({ plugins: named }) as unknown as Plan);
  return (await registry.metrics()).split("\n").filter((line) => family.test(line));
}

const index = (value: number, ...ratios: readonly number[]): PluginInstance => {
  const histogram = new PluginHistogram(PREFIX_HIT_RATIO);
  for (const ratio of ratios) histogram.observe(ratio);
  return { gaugeRows: () => [{ gauge: SIZE, labels: {}, value }], histograms: () => histogram.rows() };
};

describe("what plugins measure", () => {
  it("is told for each plugin, and in sum under the older name", async () => {
    const plugins = [index(3, 0.5), {}, index(4, 0.25, 1)];
    expect(await linesOf(plugins, /^\w+_size[ {]|_ratio_(sum|count)/)).toEqual([
      `${SIZE}{plugin_name="plugin-0",plugin_type="test"} 3`,
      `${SIZE}{plugin_name="plugin-2",plugin_type="test"} 4`,
      "inference_extension_prefix_indexer_size 7",
      `${RATIO}_sum{plugin_name="plugin-0",plugin_type="test"} 0.5`,
      `${RATIO}_count{plugin_name="plugin-0",plugin_type="test"} 1`,
      `${RATIO}_sum{plugin_name="plugin-2",plugin_type="test"} 1.25`,
      `${RATIO}_count{plugin_name="plugin-2",plugin_type="test"} 2`,
      "inference_extension_prefix_indexer_hit_ratio_sum 1.75",
      "inference_extension_prefix_indexer_hit_ratio_count 3",
    ]);
  });

  it("is left out of a plugin that throws, and told of all others", async () => {
    const broken: PluginInstance = {
      gaugeRows() {
        throw new Error("boom");
      },
    };
    expect(await linesOf([broken, index(2)], /^\w+_size[ {]/)).toHaveLength(2);
  });

  it("is not on the page without a plugin that measures it", async () => {
    expect(await linesOf([{}], /^(llm_d|inference)/)).toEqual([]);
  });
});

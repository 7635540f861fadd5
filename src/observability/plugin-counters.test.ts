import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import type { Plan } from "../core/plan.ts";
import type { PluginInstance } from "../core/plugin.ts";
import { registerPluginCounters } from "./plugin-counters.ts";

const CURRENT = "llm_d_epp_disagg_decision_total";
const OLDER = "llm_d_inference_scheduler_disagg_decision_total";

/** A page over the plugins of a plan; `use` puts another plan in its place. */
function pageOf(first: readonly PluginInstance[]) {
  let plugins = first;
  const registry = new Registry();
  registerPluginCounters(registry, () => {
    const named = plugins.map((plugin, i) => ({ name: `plugin-${i}`, type: "test", plugin }));
    return { plugins: named } as unknown as Plan;
  });
  return {
    use: (others: readonly PluginInstance[]) => void (plugins = others),
    lines: async (family: string) =>
      (await registry.metrics()).split("\n").filter((line) => line.startsWith(`${family}{`)),
    text: () => registry.metrics(),
  };
}

const counting = (counts: Readonly<Record<string, number>>, counter = CURRENT): PluginInstance => ({
  counters: () =>
    Object.entries(counts).map(([decision_type, value]) => ({
      counter,
      labels: { model_name: "m", decision_type },
      value,
    })),
});

describe("what plugins count", () => {
  it("is told for each plugin, and in sum under the older name", async () => {
    const { lines } = pageOf([counting({ "decode-only": 2 }), {}, counting({ "decode-only": 3, "prefill-decode": 1 })]);
    expect(await lines(CURRENT)).toEqual([
      `${CURRENT}{decision_type="decode-only",model_name="m",plugin_name="plugin-0",plugin_type="test"} 2`,
      `${CURRENT}{decision_type="decode-only",model_name="m",plugin_name="plugin-2",plugin_type="test"} 3`,
      `${CURRENT}{decision_type="prefill-decode",model_name="m",plugin_name="plugin-2",plugin_type="test"} 1`,
    ]);
    expect(await lines(OLDER)).toEqual([
      `${OLDER}{decision_type="decode-only",model_name="m"} 5`,
      `${OLDER}{decision_type="prefill-decode",model_name="m"} 1`,
    ]);
    expect(await lines("llm_d_epp_pd_decision_total")).toEqual([]);
  });

  it("is told anew each time, of the plan that is current", async () => {
    const counts = { "decode-only": 1 };
    const { lines, use } = pageOf([counting(counts)]);
    for (counts["decode-only"] = 1; counts["decode-only"] < 4; counts["decode-only"]++) {
      expect(await lines(OLDER)).toEqual([
        `${OLDER}{decision_type="decode-only",model_name="m"} ${counts["decode-only"]}`,
      ]);
    }
    use([]);
    expect(await lines(OLDER)).toEqual([]);
  });

  it("lacks what a plugin that throws counted, and families that nobody declared", async () => {
    const broken: PluginInstance = {
      counters() {
        throw new Error("boom");
      },
    };
    const { lines, text } = pageOf([broken, counting({ "decode-only": 1 }), counting({ x: 1 }, "undeclared_total")]);
    expect(await lines(CURRENT)).toHaveLength(1);
    expect(await text()).not.toContain("undeclared");
  });

  it("is of type counter, and says what the older names gave way to", async () => {
    const text = await pageOf([]).text();
    expect(text).toContain(`# TYPE ${CURRENT} counter`);
    expect(text).toContain(`# HELP ${OLDER} [ALPHA] [Deprecated: Use ${CURRENT}] Requests by`);
  });
});

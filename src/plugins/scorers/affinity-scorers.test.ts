import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LoraSignal } from "../../core/events.ts";
import { make, poolOf, requestOf, scoresOf } from "../test-support/fixture.ts";
import { headerLabelAffinityScorer } from "./header-label-affinity-scorer.ts";
import { loadAwareScorer } from "./load-aware-scorer.ts";
import { loraAffinityScorer } from "./lora-affinity-scorer.ts";

describe("load-aware-scorer", () => {
  const scores = (params: object, waiting: readonly number[]) => {
    const endpoints = poolOf(waiting.map((queue) => ({ waiting: queue })));
    return scoresOf(make(loadAwareScorer, params, endpoints), requestOf(endpoints));
  };

  it("tops at 0.5 and falls to 0 at the threshold", () => {
    expect(scores({}, [0, 32, 64, 128, 500])).toEqual([0.5, 0.375, 0.25, 0, 0]);
    expect(scores({ threshold: 4 }, [0, 1, 4])).toEqual([0.5, 0.375, 0]);
    expect(scores({ threshold: -1 }, [64])).toEqual([0.25]);
  });

  it("scores an endpoint by itself, never above for a longer queue", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(400), { minLength: 1 }), fc.integer({ min: 1, max: 300 }), (queues, threshold) => {
        const together = scores({ threshold }, queues);
        expect(together).toEqual(queues.flatMap((queue) => scores({ threshold }, [queue])));
        for (const [i, a] of queues.entries())
          for (const [j, b] of queues.entries()) if (a < b) expect(together[i]).toBeGreaterThanOrEqual(together[j]);
      }),
    );
  });
});

describe("lora-affinity-scorer", () => {
  const table: readonly (readonly [string, LoraSignal | undefined, number])[] = [
    ["runs it", { active: ["a", "m"], waiting: [], max: 2 }, 1],
    ["runs it and is full", { active: ["m"], waiting: ["b"], max: 1 }, 1],
    ["has room", { active: ["a"], waiting: [], max: 2 }, 0.8],
    ["has it waiting and room", { active: ["a"], waiting: ["m"], max: 3 }, 0.8],
    ["has it waiting", { active: ["a"], waiting: ["m"], max: 2 }, 0.6],
    ["is full of others", { active: ["a", "b"], waiting: [], max: 2 }, 0],
    ["holds no adapters", { active: [], waiting: [], max: 0 }, 0],
    ["tells nothing", undefined, 0],
  ];
  for (const [what, lora, expected] of table) {
    it(`scores ${expected} where the endpoint ${what}`, () => {
      const endpoints = poolOf([lora ? { lora } : {}]);
      expect(scoresOf(make(loraAffinityScorer, {}, endpoints), requestOf(endpoints, { model: "m" }))).toEqual([
        expected,
      ]);
    });
  }
});

describe("header-label-affinity-scorer", () => {
  const endpoints = poolOf([{}, {}, {}]);
  for (const [slot, slice] of ["1", "2"].entries())
    endpoints.describe(slot, { ...endpoints.description[slot], labels: { slice } });
  const plugin = make(headerLabelAffinityScorer, { headerName: "X-Slice", labelKey: "slice" }, endpoints);

  it("scores 1 where the label is what the header says", () => {
    const scores = (value?: string) =>
      scoresOf(plugin, requestOf(endpoints, value === undefined ? {} : { headers: { "x-slice": value } }));
    expect(scores("2")).toEqual([0, 1, 0]);
    expect(scores("3")).toEqual([0, 0, 0]);
    expect(scores("")).toEqual([0, 0, 0]);
    expect(scores()).toEqual([0, 0, 0]);
  });
});

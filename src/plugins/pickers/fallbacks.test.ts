import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePlan } from "../../config/compile-plan.ts";
import { Core } from "../../core/core.ts";
import type { Decision } from "../../core/decision.ts";
import type { PluginDefinition } from "../../core/plugin.ts";
import { endpoint, facts } from "../../core/test-support/test-plan.ts";
import { PLUGINS } from "../list.ts";
import { make, picksOf, poolOf, requestOf } from "../test-support/fixture.ts";
import { maxScorePicker } from "./max-score-picker.ts";
import { randomPicker } from "./random-picker.ts";
import { weightedRandomPicker } from "./weighted-random-picker.ts";

const PICKERS = PLUGINS.filter(({ points }) => points.includes("picker"));
const PICKS = 100_000;
/** 0.999 quantiles of chi-square by degrees of freedom. */
const CHI_SQUARE_999: Readonly<Record<number, number>> = { 5: 20.515, 11: 31.264 };

const pods = (count: number) => poolOf(Array.from({ length: count }, () => ({})));

/** How often each ordered pair of a pick and its first fallback came; pairs are written `pick,fallback`. */
function pairCounts(definition: PluginDefinition, totals: readonly number[]): ReadonlyMap<string, number> {
  const endpoints = pods(totals.length);
  const plugin = make(definition, { maxNumOfEndpoints: 2 }, endpoints, { seed: 11 });
  const counts = new Map<string, number>();
  for (let key = 0; key < PICKS; key++) {
    const pair = picksOf(plugin, requestOf(endpoints, { key }), totals).picks.join();
    counts.set(pair, (counts.get(pair) ?? 0) + 1);
  }
  return counts;
}

/** All ordered pairs of the places, with the chance that `weightOf` gives them when none is put back. */
function pairChances(places: readonly number[], weightOf: (place: number) => number): ReadonlyMap<string, number> {
  const sum = places.reduce((total, place) => total + weightOf(place), 0);
  const chances = new Map<string, number>();
  for (const first of places) {
    for (const second of places) {
      if (first === second) continue;
      const chance = (weightOf(first) / sum) * (weightOf(second) / (sum - weightOf(first)));
      chances.set(`${first},${second}`, chance);
    }
  }
  return chances;
}

describe("picks and their first fallbacks (chi-square over 100,000 requests, p > 0.001)", () => {
  const table: readonly (readonly [string, PluginDefinition, readonly number[], ReadonlyMap<string, number>])[] = [
    ["of random-picker are all pairs alike", randomPicker, [0, 9, 1, 4], pairChances([0, 1, 2, 3], () => 1)],
    [
      "of max-score-picker are all pairs of the tied ones alike",
      maxScorePicker,
      [2, 2, 1, 2],
      pairChances([0, 1, 3], () => 1),
    ],
    [
      "of weighted-random-picker come by their weights, the first not put back",
      weightedRandomPicker,
      [1, 2, 3, 4],
      pairChances([0, 1, 2, 3], (place) => place + 1),
    ],
  ];
  for (const [what, definition, totals, chances] of table) {
    it(what, () => {
      const counts = pairCounts(definition, totals);
      expect([...counts.keys()].toSorted()).toEqual([...chances.keys()].toSorted());
      let statistic = 0;
      for (const [pair, chance] of chances) statistic += (counts.get(pair)! - PICKS * chance) ** 2 / (PICKS * chance);
      expect(statistic).toBeLessThan(CHI_SQUARE_999[chances.size - 1]);
    });
  }
});

const anyTotal = fc.oneof(
  fc.double({ min: 0, max: 3, noNaN: true }),
  fc.constantFrom(0, 1, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324),
);

describe.each(PICKERS.map((definition) => [definition.type, definition] as const))("%s", (type, definition) => {
  it("names as many as it is told, or all, none twice, whatever the scores", () => {
    fc.assert(
      fc.property(
        fc.array(anyTotal, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: -2, max: 15 }),
        fc.nat(1000),
        (totals, maxNumOfEndpoints, key) => {
          const endpoints = pods(totals.length);
          const plugin = make(definition, { maxNumOfEndpoints }, endpoints);
          const { picks } = picksOf(plugin, requestOf(endpoints, { key }), totals);
          expect(picks).toHaveLength(Math.min(totals.length, Math.max(1, maxNumOfEndpoints)));
          expect(new Set(picks).size).toBe(picks.length);
          for (const place of picks) expect(totals[place]).toBeDefined();
        },
      ),
    );
  });

  it("names the same first one however many fallbacks it is told", () => {
    fc.assert(
      fc.property(fc.array(anyTotal, { minLength: 1, maxLength: 8 }), fc.nat(1000), (totals, key) => {
        const endpoints = pods(totals.length);
        const picks = (maxNumOfEndpoints: number) =>
          picksOf(make(definition, { maxNumOfEndpoints }, endpoints), requestOf(endpoints, { key }), totals).picks;
        expect(picks(1)).toEqual(picks(8).slice(0, 1));
      }),
    );
  });

  it("picks among 1,000 endpoints", () => {
    const totals = Array.from({ length: 1000 }, (_, i) => (i === 421 ? 1 : 0));
    const endpoints = pods(totals.length);
    const { picks } = picksOf(make(definition, { maxNumOfEndpoints: 1000 }, endpoints), requestOf(endpoints), totals);
    expect(new Set(picks).size).toBe(1000);
    if (type !== "random-picker") expect(picks[0]).toBe(421);
  });
});

it("the order of the fallbacks is that of the destinations", () => {
  const decisions: Decision[] = [];
  const core = new Core({
    env: { seed: 1, emit: (notice) => void (notice.type === "decision" && decisions.push(notice.decision)) },
    compile: compilePlan,
  });
  const text = "plugins: [{type: queue-scorer}, {type: max-score-picker, parameters: {maxNumOfEndpoints: 3}}]";
  core.step({ type: "configLoaded", atUs: 0, source: { text, options: {} } });
  const waiting = [7, 0, 3, 1];
  for (const [i, queue] of waiting.entries()) {
    const one = endpoint(`pod-${i}`, `10.0.0.${i}`);
    core.step({ type: "endpointUpserted", atUs: 1, endpoint: one });
    const slot = core.endpoints.slotOf(one.id);
    const rows = [{ slot, generation: core.endpoints.generation[slot], waiting: queue }];
    core.step({ type: "signals", atUs: 2, rows });
  }
  core.step({ type: "requestArrived", atUs: 3, facts: facts(1) });
  expect(decisions[0].outcome).toMatchObject({
    kind: "picked",
    targets: ["10.0.0.1:8000", "10.0.0.3:8000", "10.0.0.2:8000"],
    endpointIds: ["default/pod-1", "default/pod-3", "default/pod-2"],
  });
});

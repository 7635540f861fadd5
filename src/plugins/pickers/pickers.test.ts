import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PluginDefinition } from "../../core/plugin.ts";
import { make, picksOf, poolOf, requestOf } from "../test-support/fixture.ts";
import { maxScorePicker } from "./max-score-picker.ts";
import { randomPicker } from "./random-picker.ts";
import { weightedRandomPicker } from "./weighted-random-picker.ts";

const pods = (count: number) => poolOf(Array.from({ length: count }, () => ({})));

/** Chi-square statistic of how often each of `sides` came, against all being equally likely. */
function chiSquare(definition: PluginDefinition, totals: readonly number[], sides: readonly number[], picks: number) {
  const endpoints = pods(totals.length);
  const plugin = make(definition, {}, endpoints, { seed: 7 });
  const counts = new Map(sides.map((side) => [side, 0]));
  for (let key = 0; key < picks; key++) {
    const [picked] = picksOf(plugin, requestOf(endpoints, { key }), totals).picks;
    counts.set(picked, (counts.get(picked) ?? 0) + 1);
  }
  const expected = picks / sides.length;
  expect([...counts.keys()]).toEqual([...sides]);
  return [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

/** 0.999 quantiles of chi-square by degrees of freedom. */
const CHI_SQUARE_999: Readonly<Record<number, number>> = { 2: 13.816, 3: 16.266, 9: 27.877 };
const PICKS = 100_000;

describe("max-score-picker", () => {
  it("picks the greatest score, and draws only where scores are equal", () => {
    const endpoints = pods(4);
    const plugin = make(maxScorePicker, {}, endpoints);
    const { picks, draws } = picksOf(plugin, requestOf(endpoints), [1, 3, 2, 0]);
    expect(picks).toEqual([1]);
    expect(draws.every(Number.isNaN)).toBe(true);
    const tied = picksOf(plugin, requestOf(endpoints), [1, 3, 3, 0]);
    expect(tied.draws.map(Number.isNaN)).toEqual([true, false, false, true]);
    expect(tied.picks).toEqual([tied.draws[1] > tied.draws[2] ? 1 : 2]);
  });

  it("names as many as it is told, best first, and all when there are fewer", () => {
    const endpoints = pods(4);
    const totals = [1, 3, 2, 0];
    const picks = (maxNumOfEndpoints: number) =>
      picksOf(make(maxScorePicker, { maxNumOfEndpoints }, endpoints), requestOf(endpoints), totals).picks;
    expect(picks(3)).toEqual([1, 2, 0]);
    expect(picks(9)).toEqual([1, 2, 0, 3]);
    expect(picks(0)).toEqual([1]);
    expect(picks(-1)).toEqual([1]);
  });

  it("puts a score that is no number last", () => {
    const endpoints = pods(3);
    const order = make(maxScorePicker, { maxNumOfEndpoints: 3 }, endpoints);
    expect(picksOf(order, requestOf(endpoints), [Number.NaN, -5, 2]).picks).toEqual([2, 1, 0]);
    const one = make(maxScorePicker, {}, endpoints);
    expect(picksOf(one, requestOf(endpoints), [Number.NaN, Number.NEGATIVE_INFINITY, Number.NaN]).picks).toEqual([1]);
  });

  it("picks the same endpoint in any order of the candidates", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(0, 1, 2), { minLength: 1, maxLength: 8 }),
        fc.nat(1000),
        fc.integer({ min: 1, max: 4 }),
        (totals, key, maxNumOfEndpoints) => {
          const endpoints = pods(totals.length);
          const plugin = make(maxScorePicker, { maxNumOfEndpoints }, endpoints);
          const forth = requestOf(endpoints, { key });
          const back = requestOf(endpoints, { key }, endpoints.slots().toReversed());
          const last = totals.length - 1;
          const backward = picksOf(plugin, back, totals.toReversed()).picks.map((place) => last - place);
          expect(backward).toEqual(picksOf(plugin, forth, totals).picks);
        },
      ),
    );
  });

  it("draws ties fairly (chi-square over 100,000 picks, p > 0.001)", () => {
    expect(chiSquare(maxScorePicker, [2, 1, 2, 2], [0, 2, 3], PICKS)).toBeLessThan(CHI_SQUARE_999[2]);
  });
});

describe("random-picker", () => {
  it("picks fairly whatever the scores (chi-square over 100,000 picks, p > 0.001)", () => {
    const sides = Array.from({ length: 10 }, (_, i) => i);
    expect(chiSquare(randomPicker, sides, sides, PICKS)).toBeLessThan(CHI_SQUARE_999[9]);
  });

  it("names several in the order of their draws, none twice", () => {
    const endpoints = pods(5);
    const plugin = make(randomPicker, { maxNumOfEndpoints: 3 }, endpoints);
    for (let key = 0; key < 50; key++) {
      const { picks, draws } = picksOf(plugin, requestOf(endpoints, { key }), [0, 0, 0, 0, 0]);
      expect(new Set(picks).size).toBe(3);
      expect(picks).toEqual([0, 1, 2, 3, 4].sort((a, b) => draws[b] - draws[a]).slice(0, 3));
    }
  });

  it("shifts no other endpoint's draw when a candidate is gone", () => {
    const endpoints = pods(4);
    const plugin = make(randomPicker, {}, endpoints);
    const all = picksOf(plugin, requestOf(endpoints, { key: 3 }), [0, 0, 0, 0]).draws;
    const some = picksOf(plugin, requestOf(endpoints, { key: 3 }, Int32Array.of(3, 1)), [0, 0]).draws;
    expect(some).toEqual([all[3], all[1]]);
  });

  it("draws otherwise under another name and another seed", () => {
    const endpoints = pods(3);
    const drawsOf = (options: { name?: string; seed?: number }) =>
      picksOf(make(randomPicker, {}, endpoints, options), requestOf(endpoints), [0, 0, 0]).draws;
    expect(drawsOf({ name: "a" })).not.toEqual(drawsOf({ name: "b" }));
    expect(drawsOf({ seed: 1 })).not.toEqual(drawsOf({ seed: 2 }));
    expect(drawsOf({ seed: 1 })).toEqual(drawsOf({ seed: 1 }));
  });
});

describe("weighted-random-picker", () => {
  it("picks in proportion to the scores (chi-square over 100,000 picks, p > 0.001)", () => {
    const totals = [1, 2, 3, 4];
    const endpoints = pods(totals.length);
    const plugin = make(weightedRandomPicker, {}, endpoints, { seed: 7 });
    const counts = totals.map(() => 0);
    for (let key = 0; key < PICKS; key++) counts[picksOf(plugin, requestOf(endpoints, { key }), totals).picks[0]]++;
    const statistic = counts.reduce((sum, count, i) => {
      const expected = (PICKS * totals[i]) / 10;
      return sum + (count - expected) ** 2 / expected;
    }, 0);
    expect(statistic).toBeLessThan(CHI_SQUARE_999[3]);
  });

  it("picks fairly where no score is above 0 (chi-square over 100,000 picks, p > 0.001)", () => {
    expect(chiSquare(weightedRandomPicker, [0, -1, 0], [0, 1, 2], PICKS)).toBeLessThan(CHI_SQUARE_999[2]);
  });

  it("names none with a score of 0 or below, or no number, before one with more", () => {
    const endpoints = pods(5);
    const plugin = make(weightedRandomPicker, { maxNumOfEndpoints: 5 }, endpoints);
    for (let key = 0; key < 50; key++) {
      const { picks } = picksOf(plugin, requestOf(endpoints, { key }), [0, 1e-9, Number.NaN, 2, -3]);
      expect(new Set(picks.slice(0, 2))).toEqual(new Set([1, 3]));
      expect(new Set(picks)).toEqual(new Set([0, 1, 2, 3, 4]));
    }
  });

  it("names as many as it is told", () => {
    const endpoints = pods(3);
    const plugin = make(weightedRandomPicker, { maxNumOfEndpoints: 2 }, endpoints);
    expect(picksOf(plugin, requestOf(endpoints), [1, 1, 1]).picks).toHaveLength(2);
  });
});

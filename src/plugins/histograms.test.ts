import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PluginHistogram, PREFIX_HIT_RATIO } from "./histograms.ts";

describe("a plugin's histogram", () => {
  it("is not told before its first value", () => {
    expect(new PluginHistogram(PREFIX_HIT_RATIO).rows()).toEqual([]);
  });

  it("has each value once, in the first bucket whose bound is not below it", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 2, noNaN: true }), { minLength: 1 }), (values) => {
        const histogram = new PluginHistogram(PREFIX_HIT_RATIO);
        for (const value of values) histogram.observe(value);
        const [{ counts, sum }] = histogram.rows();
        const { buckets } = PREFIX_HIT_RATIO;
        for (const [i, bound] of [...buckets, Infinity].entries()) {
          const below = i === 0 ? -1 : buckets[i - 1];
          expect(counts[i]).toBe(values.filter((value) => value > below && value <= bound).length);
        }
        expect(sum).toBeCloseTo(values.reduce((all, value) => all + value, 0));
      }),
    );
  });
});

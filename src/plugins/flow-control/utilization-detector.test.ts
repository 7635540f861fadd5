import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Signals } from "../test-support/fixture.ts";
import { keptBy, make, poolOf, requestOf } from "../test-support/fixture.ts";
import { utilizationDetector } from "./utilization-detector.ts";

const FRESH_US = 100_000;
const STALE_US = 200_001;

const saturation = (pods: readonly (Signals | null)[], nowUs = FRESH_US, params = {}): number => {
  const endpoints = poolOf(pods);
  return make(utilizationDetector, params, endpoints).saturation(endpoints.slots(), nowUs);
};
const kept = (pods: readonly (Signals | null)[], nowUs = FRESH_US, params = {}): number[] => {
  const endpoints = poolOf(pods);
  return keptBy(make(utilizationDetector, params, endpoints), requestOf(endpoints, {}, endpoints.slots(), nowUs));
};

describe("utilization-detector, saturation", () => {
  it("is the mean of the fuller of queue and KV cache", () => {
    expect(
      saturation([
        { waiting: 5, kvUsage: 0.4 },
        { waiting: 1, kvUsage: 0.4 },
      ]),
    ).toBeCloseTo((1 + 0.5) / 2, 12);
    expect(saturation([{ waiting: 10 }])).toBe(2);
    expect(saturation([{ waiting: 1, kvUsage: 0.2 }], FRESH_US, { queueDepthThreshold: 2 })).toBe(0.5);
  });

  it("is 1 for no endpoint, one never scraped, and one whose signals are stale", () => {
    expect(saturation([])).toBe(1);
    expect(saturation([null])).toBe(1);
    expect(saturation([{}], STALE_US)).toBe(1);
    expect(saturation([{}], STALE_US - 1)).toBe(0);
    expect(saturation([{}], STALE_US, { metricsStalenessThreshold: "1m" })).toBe(0);
  });
});

describe("utilization-detector, filter", () => {
  it("drops what is at a threshold, stale or never seen", () => {
    expect(kept([{ waiting: 5 }, { waiting: 4 }, { kvUsage: 0.8 }, { kvUsage: 0.79 }, null])).toEqual([1, 3]);
  });

  it("allows more by the headroom", () => {
    expect(kept([{ waiting: 7 }, { waiting: 8 }, { kvUsage: 1 }], FRESH_US, { headroom: 0.5 })).toEqual([0, 2]);
  });

  it("keeps all when it would keep none", () => {
    expect(kept([{ waiting: 9 }, null])).toEqual([0, 1]);
    expect(kept([{}, {}], STALE_US)).toEqual([0, 1]);
  });

  it("keeps a part of its input, in order", () => {
    const pod = fc.option(fc.record({ waiting: fc.nat(8), kvUsage: fc.double({ min: 0, max: 1, noNaN: true }) }));
    fc.assert(
      fc.property(fc.array(pod, { minLength: 1, maxLength: 10 }), fc.nat(400_000), (pods, nowUs) => {
        const places = kept(pods, nowUs);
        expect(places.length).toBeGreaterThan(0);
        expect(places).toEqual([...new Set(places)].sort((a, b) => a - b));
        expect(places.at(-1)).toBeLessThan(pods.length);
      }),
    );
  });
});

describe("utilization-detector, parameters", () => {
  const refused = [
    { queueDepthThreshold: 0 },
    { kvCacheUtilThreshold: 1.5 },
    { kvCacheUtilThreshold: 0 },
    { metricsStalenessThreshold: "soon" },
    { metricsStalenessThreshold: "0s" },
    { metricsStalenessThreshold: 5 },
    { headroom: -1 },
  ];
  for (const params of refused) {
    it(`refuses ${JSON.stringify(params)}`, () => {
      expect(utilizationDetector.params.safeParse(params).success).toBe(false);
    });
  }
});

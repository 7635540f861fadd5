import { describe, expect, it } from "vitest";
import { latencyPredictionKey, prefixMatchKey } from "../../core/data-key.ts";
import type { Endpoints } from "../../core/endpoints.ts";
import { concurrencyDetector } from "../flow-control/concurrency-detector.ts";
import { InflightColumns } from "../producers/inflight-columns.ts";
import type { Signals } from "../test-support/fixture.ts";
import { keptBy, make, poolOf, predictionOf, requestOf } from "../test-support/fixture.ts";
import { endpointAttributeFilter } from "./endpoint-attribute-filter.ts";
import { prefixCacheAffinityFilter } from "./prefix-cache-affinity-filter.ts";
import { sloHeadroomTierFilter } from "./slo-headroom-tier-filter.ts";
import { utilizationFilter } from "./utilization-filter.ts";

/** A pool whose endpoints have requests and tokens in flight. */
function loaded(signals: readonly Signals[], inflight: readonly (readonly [requests: number, tokens: number])[] = []) {
  const endpoints = poolOf(signals);
  const load = new InflightColumns(endpoints, "inflight-load-producer");
  for (const [slot, [requests, tokens]] of inflight.entries()) load.add(slot, requests, tokens);
  return endpoints;
}

describe("endpoint-attribute-filter", () => {
  const endpoints = poolOf([{ attributes: { heat: 1 } }, { attributes: { heat: 2 } }, {}, { attributes: { heat: 3 } }]);
  const kept = (operator: string, more: object = {}, value = 2) => {
    const algorithm = { type: "threshold", threshold: { operator, value } };
    const plugin = make(endpointAttributeFilter, { attribute: "heat", algorithm, ...more }, endpoints);
    return keptBy(plugin, requestOf(endpoints));
  };
  const table: readonly (readonly [string, readonly number[]])[] = [
    ["LessThan", [0, 2]],
    ["LessThanOrEqual", [0, 1, 2]],
    ["GreaterThan", [2, 3]],
    ["GreaterThanOrEqual", [1, 2, 3]],
    ["Equal", [1, 2]],
    ["NotEqual", [0, 2, 3]],
  ];
  for (const [operator, places] of table) {
    it(`keeps by ${operator}, and endpoints without the attribute unless told`, () => {
      expect(kept(operator)).toEqual(places);
      expect(kept(operator, { onMissing: "Fail" })).toEqual(places.filter((place) => place !== 2));
    });
  }

  it("keeps all when none would stay, where told", () => {
    expect(kept("GreaterThan", { onMissing: "Fail" }, 9)).toEqual([]);
    expect(kept("GreaterThan", { onMissing: "Fail", fallbackOnEmpty: true }, 9)).toEqual([0, 1, 2, 3]);
  });
});

describe("utilization-filter", () => {
  const endpoints = loaded(
    [{ waiting: 6, running: 1, kvUsage: 0.2 }, { waiting: 1, running: 9, kvUsage: 0.9 }, {}],
    [
      [0, 0],
      [4, 10],
    ],
  );
  const kept = (conditions: readonly (readonly [string, number])[], more: object = {}) => {
    const list = conditions.map(([metric, maxValue]) => ({ metric, maxValue }));
    return keptBy(make(utilizationFilter, { conditions: list, ...more }, endpoints), requestOf(endpoints));
  };

  it("drops what is above a limit, not what is at it; never seen counts as 0", () => {
    expect(kept([["waiting-queue", 5]])).toEqual([1, 2]);
    expect(kept([["waiting-queue", 6]])).toEqual([0, 1, 2]);
    expect(kept([["running-requests", 1]])).toEqual([0, 2]);
    expect(kept([["kv-cache-utilization", 0.5]])).toEqual([0, 2]);
    expect(kept([["active-requests", 3]])).toEqual([0, 2]);
    expect(
      kept([
        ["waiting-queue", 5],
        ["active-requests", 3],
      ]),
    ).toEqual([2]);
  });

  it("keeps all when none would stay, where told", () => {
    const full = loaded([{ waiting: 1 }]);
    const conditions = [{ metric: "waiting-queue", maxValue: 0 }];
    expect(keptBy(make(utilizationFilter, { conditions }, full), requestOf(full))).toEqual([]);
    const plugin = make(utilizationFilter, { conditions, fallbackOnEmpty: true }, full);
    expect(keptBy(plugin, requestOf(full))).toEqual([0]);
  });
});

describe("prefix-cache-affinity-filter", () => {
  const TOTAL_BLOCKS = 10;
  const kept = (endpoints: Endpoints, params: object, matched: readonly number[] | undefined, key = 0) => {
    const request = requestOf(endpoints, { key });
    if (matched) {
      const match = { matchBlocks: Int32Array.from(matched), totalBlocks: TOTAL_BLOCKS, blockSizeTokens: 64 };
      request.put(prefixMatchKey("approx-prefix-cache-producer"), match);
    }
    return keptBy(make(prefixCacheAffinityFilter, params, endpoints), request);
  };
  const idle = () => loaded([{}, {}, {}]);

  it("keeps the endpoints that hold enough of the prompt", () => {
    expect(kept(idle(), {}, [8, 7, 10])).toEqual([0, 2]);
    expect(kept(idle(), { affinityThreshold: 1 }, [8, 7, 10])).toEqual([2]);
  });

  it("keeps all when none does, when nothing is known, and when it is off", () => {
    expect(kept(idle(), {}, [7, 7, 0])).toEqual([0, 1, 2]);
    expect(kept(idle(), {}, undefined)).toEqual([0, 1, 2]);
    expect(kept(idle(), { affinityThreshold: 0 }, [10, 0, 0])).toEqual([0, 1, 2]);
  });

  it("keeps all when those would answer too late, and only then", () => {
    const params = { peakPrefillThroughput: 1000, maxTTFTPenaltyMs: 500 };
    const busy = (tokens: number) => loaded([{}, {}, {}], [[1, tokens]]);
    expect(kept(busy(500), params, [10, 0, 0])).toEqual([0]);
    expect(kept(busy(501), params, [10, 0, 0])).toEqual([0, 1, 2]);
    expect(kept(busy(501), { ...params, maxTTFTPenaltyMs: 0 }, [10, 0, 0])).toEqual([0]);
    expect(kept(busy(501), params, [10, 9, 0])).toEqual([0, 1]);
    expect(kept(busy(501), params, [10, 10, 10])).toEqual([0, 1, 2]);
  });

  it("compares predicted first tokens where told, an unpredicted endpoint as the latest", () => {
    const late = (ttftMs: number) => ({ ttftMs, ttftHeadroomMs: 0, tpotHeadroomMs: 0 });
    const predicted = (rows: Parameters<typeof predictionOf>[0], maxTTFTPenaltyMs = 500) => {
      const endpoints = loaded([{}, {}, {}], [[1, 1_000_000]]);
      const request = requestOf(endpoints);
      const match = { matchBlocks: Int32Array.of(10, 0, 0), totalBlocks: TOTAL_BLOCKS, blockSizeTokens: 64 };
      request.put(prefixMatchKey("approx-prefix-cache-producer"), match);
      request.put(latencyPredictionKey("predicted-latency-producer"), predictionOf(rows));
      const params = { ttftSource: "latencyPredictor", maxTTFTPenaltyMs, peakPrefillThroughput: 0 };
      return keptBy(make(prefixCacheAffinityFilter, params, endpoints), request);
    };
    expect(predicted([late(600), late(100), late(900)])).toEqual([0]);
    expect(predicted([late(601), late(100), late(900)])).toEqual([0, 1, 2]);
    expect(predicted([late(601), late(100), late(900)], 0)).toEqual([0]);
    expect(predicted([undefined, late(100), undefined])).toEqual([0, 1, 2]);
    expect(predicted([late(1e9), undefined, undefined])).toEqual([0]);
    expect(predicted([undefined, undefined, undefined])).toEqual([0]);
    expect(predicted([late(Number.NaN), late(100), late(100)])).toEqual([0, 1, 2]);
  });

  it("lets the told share of requests explore", () => {
    const counts = { all: 0, sticky: 0 };
    for (let key = 0; key < 2000; key++) {
      const places = kept(idle(), { explorationProbability: 0.25 }, [10, 0, 0], key);
      counts[places.length === 1 ? "sticky" : "all"]++;
    }
    expect(counts.all).toBeGreaterThan(420);
    expect(counts.all).toBeLessThan(580);
  });
});

describe("slo-headroom-tier-filter", () => {
  const row = (ttftHeadroomMs: number, tpotHeadroomMs: number) => ({ ttftHeadroomMs, tpotHeadroomMs });
  const kept = (rows: Parameters<typeof predictionOf>[0] | undefined, params: object = {}, key = 0, pods = 4) => {
    const endpoints = loaded(Array.from({ length: pods }, () => ({})));
    const request = requestOf(endpoints, { key });
    if (rows) request.put(latencyPredictionKey("predicted-latency-producer"), predictionOf(rows));
    return keptBy(make(sloHeadroomTierFilter, params, endpoints), request);
  };
  const mixed = [row(-1, 5), row(0, 0), undefined, row(5, 5)];

  it("keeps what is predicted to meet both objectives, the others where it explores, in their order", () => {
    expect(kept(mixed, { epsilonExploreNeg: 0 })).toEqual([1, 3]);
    expect(kept(mixed, { epsilonExploreNeg: 1 })).toEqual([0, 2]);
    expect(kept([row(1, -1), row(1, Number.NaN), row(1, 1), row(1, 1)], { epsilonExploreNeg: 0 })).toEqual([2, 3]);
  });

  it("keeps all when they are of one kind, when nothing is predicted, and a single one", () => {
    const all = [0, 1, 2, 3];
    const always = { epsilonExploreNeg: 1 };
    expect(kept([row(1, 1), row(1, 1), row(1, 1), row(1, 1)], always)).toEqual(all);
    expect(kept([row(-1, 1), undefined, row(-1, 1), row(-1, 1)], { epsilonExploreNeg: 0 })).toEqual(all);
    expect(kept([undefined, undefined, undefined, undefined])).toEqual(all);
    expect(kept(undefined)).toEqual(all);
    expect(kept([row(1, 1)], always, 0, 1)).toEqual([0]);
  });

  it("explores with the told share of the requests", () => {
    let explored = 0;
    for (let key = 0; key < 2000; key++) if (kept(mixed, { epsilonExploreNeg: 0.25 }, key)[0] === 0) explored++;
    expect(explored).toBeGreaterThan(420);
    expect(explored).toBeLessThan(580);
  });
});

describe("concurrency-detector", () => {
  const endpoints = loaded(
    [{}, {}, {}],
    [
      [10, 100],
      [2, 900],
    ],
  );
  const detector = (params: object) =>
    make(concurrencyDetector, { maxConcurrency: 10, maxTokenConcurrency: 1000, ...params }, endpoints);
  const table: readonly (readonly [string, number, readonly number[]])[] = [
    ["requests", 0.4, [1, 2]],
    ["tokens", 1 / 3, [0, 1, 2]],
    ["hybrid", 1.9 / 3, [1, 2]],
  ];
  for (const [concurrencyMode, saturation, places] of table) {
    it(`counts by ${concurrencyMode}`, () => {
      const plugin = detector({ concurrencyMode });
      expect(plugin.saturation(endpoints.slots(), 0)).toBeCloseTo(saturation, 12);
      expect(keptBy(plugin, requestOf(endpoints))).toEqual(places);
    });
  }

  it("is saturated without endpoints", () => {
    expect(detector({}).saturation(new Int32Array(0), 0)).toBe(1);
  });

  it("lets endpoints be over by the headroom as a filter, in whole requests; may keep none", () => {
    expect(keptBy(detector({ headroom: 0.1 }), requestOf(endpoints))).toEqual([0, 1, 2]);
    expect(keptBy(detector({ headroom: 0.09 }), requestOf(endpoints))).toEqual([1, 2]);
    const full = loaded([{}], [[1, 1]]);
    expect(keptBy(make(concurrencyDetector, { maxConcurrency: 1 }, full), requestOf(full))).toEqual([]);
  });
});

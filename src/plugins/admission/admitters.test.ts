import { describe, expect, it } from "vitest";
import { latencyPredictionKey } from "../../core/data-key.ts";
import type { PluginInstance } from "../../core/plugin.ts";
import type { RequestState } from "../../core/request-state.ts";
import type { PredictedRow, Signals } from "../test-support/fixture.ts";
import { make, poolOf, predictionOf, requestOf } from "../test-support/fixture.ts";
import { latencySloAdmitter } from "./latency-slo-admitter.ts";
import { probabilisticAdmitter } from "./probabilistic-admitter.ts";

const denied = (plugin: PluginInstance, request: RequestState, endpoints: ReturnType<typeof poolOf>) =>
  plugin.deny!(request, request.table.present(endpoints));

describe("latency-slo-admitter", () => {
  const MISSES: PredictedRow = { ttftHeadroomMs: -1, tpotHeadroomMs: 1 };
  const MEETS: PredictedRow = { ttftHeadroomMs: 1, tpotHeadroomMs: 1 };
  const BUSY: Signals = { running: 3, kvUsage: 0.5 };
  const SLO = { "x-llm-d-slo-ttft-ms": "200" };
  const REFUSED = "no valid endpoint available to serve the request";

  interface Scene {
    readonly signals?: readonly Signals[];
    readonly rows?: readonly (PredictedRow | undefined)[];
    readonly headers?: Readonly<Record<string, string>>;
    readonly priority?: number;
  }
  const answer = ({ signals = [BUSY, BUSY], rows, headers = SLO, priority = -1 }: Scene) => {
    const endpoints = poolOf(signals);
    const request = requestOf(endpoints, { headers });
    request.priority = priority;
    if (rows) request.put(latencyPredictionKey("predicted-latency-producer"), predictionOf(rows));
    return denied(make(latencySloAdmitter, {}, endpoints), request, endpoints);
  };

  const table: readonly (readonly [string, Scene, boolean])[] = [
    ["when no endpoint is predicted to meet the objective", { rows: [MISSES, MISSES] }, true],
    ["when only some are predicted, and those miss it", { rows: [undefined, MISSES] }, true],
    ["by the older names of the headers", { rows: [MISSES, MISSES], headers: { "x-slo-tpot-ms": "1e1" } }, true],
    ["by an infinite objective", { rows: [MISSES, MISSES], headers: { "x-slo-tpot-ms": "+Inf" } }, true],
    ["not when one meets it", { rows: [MISSES, MEETS] }, false],
    ["not when nothing is predicted", { rows: [undefined, undefined] }, false],
    ["not without a predictor", {}, false],
    ["not when one is idle", { rows: [MISSES, MISSES], signals: [BUSY, { ...BUSY, running: 0 }] }, false],
    ["not when one is cold", { rows: [MISSES, MISSES], signals: [BUSY, { ...BUSY, kvUsage: 0.019 }] }, false],
    ["when one uses 2% of its cache", { rows: [MISSES, MISSES], signals: [BUSY, { ...BUSY, kvUsage: 0.02 }] }, true],
    ["not when one was never scraped", { rows: [MISSES, MISSES], signals: [BUSY, {}] }, false],
    ["not without an objective", { rows: [MISSES, MISSES], headers: {} }, false],
    ["not of priority 0", { rows: [MISSES, MISSES], priority: 0 }, false],
    ...["0", "-5", "soon", "NaN", "1e999", "12 ms", " 12", "-inf", ""].map(
      (text): readonly [string, Scene, boolean] => [
        `not by the objective ${JSON.stringify(text)}`,
        { rows: [MISSES, MISSES], headers: { "x-llm-d-slo-ttft-ms": text } },
        false,
      ],
    ),
    [
      "not by the older header beside a new one that is no number",
      { rows: [MISSES, MISSES], headers: { "x-llm-d-slo-ttft-ms": "soon", "x-slo-ttft-ms": "200" } },
      false,
    ],
  ];
  for (const [what, scene, refuses] of table) {
    it(`refuses ${what}`, () => {
      expect(answer(scene)).toBe(refuses ? REFUSED : undefined);
    });
  }

  it("names its headers to the driver", () => {
    expect(latencySloAdmitter.headerNames!({})).toEqual([
      "x-llm-d-slo-ttft-ms",
      "x-slo-ttft-ms",
      "x-llm-d-slo-tpot-ms",
      "x-slo-tpot-ms",
    ]);
  });
});

describe("probabilistic-admitter", () => {
  const PARAMS = { queueDepthThreshold: 10, kvCacheUtilThreshold: 0.5, power: 2, k: 0.5 };
  /** Refusals among `count` requests of priority -1. */
  const refusals = (signals: readonly Signals[], { params = PARAMS, priority = -1, count = 4000, seed = 1 } = {}) => {
    const endpoints = poolOf(signals);
    const plugin = make(probabilisticAdmitter, params, endpoints, { seed });
    const keys: number[] = [];
    for (let key = 0; key < count; key++) {
      const request = requestOf(endpoints, { key });
      request.priority = priority;
      if (denied(plugin, request, endpoints)) keys.push(key);
    }
    return keys;
  };

  it("refuses as often as saturation^power * k tells", () => {
    // Means of 0.8 and 0.6: 0.5 * 0.49.
    const share = refusals([{ waiting: 8 }, { kvUsage: 0.3 }]).length / 4000;
    expect(share).toBeGreaterThan(0.245 - 0.03);
    expect(share).toBeLessThan(0.245 + 0.03);
  });

  it("refuses all once that is 1, and none while nothing waits", () => {
    expect(refusals([{ waiting: 20 }], { count: 200 })).toHaveLength(200);
    expect(refusals([{ waiting: 0, kvUsage: 0 }, {}], { count: 200 })).toEqual([]);
  });

  it("refuses the same requests each time, others by another seed", () => {
    const signals = [{ waiting: 10 }];
    const some = refusals(signals, { count: 200 });
    expect(some.length).toBeGreaterThan(50);
    expect(refusals(signals, { count: 200 })).toEqual(some);
    expect(refusals(signals, { count: 200, seed: 2 })).not.toEqual(some);
  });

  it("refuses more the fuller the endpoints are, and never one that a smaller saturation refuses alone", () => {
    let before: readonly number[] = [];
    for (const waiting of [2, 4, 6, 8, 10, 12, 14]) {
      const now = refusals([{ waiting }], { count: 300 });
      expect(now).toEqual(expect.arrayContaining([...before]));
      before = now;
    }
    expect(before.length).toBeGreaterThan(280);
  });

  it("lets in what is no sheddable request, and what finds no candidates", () => {
    expect(refusals([{ waiting: 99 }], { priority: 0, count: 50 })).toEqual([]);
    expect(refusals([], { count: 50 })).toEqual([]);
  });

  it("lets in where signals are no numbers or below 0, refuses where they are infinite", () => {
    for (const waiting of [Number.NaN, -50, Number.NEGATIVE_INFINITY]) {
      expect(refusals([{ waiting, kvUsage: -1 }], { count: 50 })).toEqual([]);
    }
    expect(refusals([{ waiting: Number.POSITIVE_INFINITY }], { count: 50 })).toHaveLength(50);
  });

  it("tells saturation and chance in the stock's words", () => {
    const endpoints = poolOf([{ waiting: 10 }, { waiting: 20 }]);
    const request = requestOf(endpoints);
    request.priority = -1;
    expect(denied(make(probabilisticAdmitter, {}, endpoints), request, endpoints)).toBe(
      "inference error: ResourceExhausted - probabilistic-admitter: rejected, saturation=3.000 prob=1.00",
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { latencyPredictionKey, prefixMatchKey } from "../../core/data-key.ts";
import type { PredictedRow, Signals } from "../test-support/fixture.ts";
import { make, poolOf, predictionOf, requestOf, scoresOf } from "../test-support/fixture.ts";
import { latencyScorer } from "./latency-scorer.ts";

const KEY = latencyPredictionKey("predicted-latency-producer");

/** Headrooms of the first token and of the others, and what the predictor has under way. */
const row = (ttftHeadroomMs: number, tpotHeadroomMs: number, dispatched = 1): PredictedRow => ({
  ttftHeadroomMs,
  tpotHeadroomMs,
  dispatched,
});

function scores(rows: readonly (PredictedRow | undefined)[], params: object = {}): number[] {
  const endpoints = poolOf(rows.map(() => ({})));
  const request = requestOf(endpoints);
  request.put(KEY, predictionOf(rows));
  return scoresOf(make(latencyScorer, params, endpoints), request);
}

describe("latency-scorer by predictions", () => {
  const table: readonly (readonly [string, readonly (PredictedRow | undefined)[], object, readonly number[]])[] = [
    ["the tightest fit first", [row(10, 0), row(20, 0), row(110, 0)], {}, [1.01, 0.91, 0.01]],
    [
      "the most headroom first",
      [row(10, 0), row(20, 0), row(110, 0)],
      { headroomSelectionStrategy: "most" },
      [0.01, 0.11, 1.01],
    ],
    ["another strategy as least", [row(10, 0), row(110, 0)], { headroomSelectionStrategy: "x" }, [1.01, 0.01]],
    ["both dimensions by their weights", [row(0, 0), row(10, 0), row(0, 10), row(10, 10)], {}, [1.01, 0.2, 0.81, 0.01]],
    [
      "weights divided by their sum",
      [row(0, 0), row(10, 0), row(0, 10), row(10, 10)],
      { ttftWeight: 3, tpotWeight: 1 },
      [1.01, 0.26, 0.76, 0.01],
    ],
    [
      "the first token alone without weights",
      [row(0, 0), row(10, 0), row(0, 10)],
      { ttftWeight: 0, tpotWeight: 0 },
      [1.01, 0.01, 1.01],
    ],
    ["the other dimension where one is equal", [row(5, 1), row(5, 2)], { ttftWeight: 1, tpotWeight: 0 }, [1.01, 0.01]],
    ["all equal in the middle", [row(5, 1), row(5, 1)], {}, [0.51, 0.51]],
    ["one alone in the middle", [row(5, 1)], {}, [0.51]],
    ["no endpoint with a negative headroom beside others", [row(5, 1), row(-1, 1), row(1, -1)], {}, [0.51, 0, 0]],
    ["an unpredicted one as headroom 0", [undefined, row(5, 0), row(-1, 0)], {}, [1.01, 0.01, 0]],
    ["idle ones first when all are late", [row(-1, -1, 0), row(-2, 1, 0), row(9, -1)], {}, [1.01, 0.01, 0]],
    ["late further tokens before late first ones", [row(-1, 1), row(1, -1), row(-1, -1)], {}, [0, 0.51, 0]],
    ["late first tokens before both", [row(-1, 1), row(-2, -1), row(-3, 1)], {}, [1.01, 0, 0.01]],
    [
      "the least deficit even where most is asked for",
      [row(-1, -1), row(-9, -1)],
      { headroomSelectionStrategy: "most" },
      [1.01, 0.01],
    ],
    ["what is no number as 0", [row(Number.NaN, 0), row(1, 0), row(3, 0)], {}, [0, 1.01, 0.01]],
    ["infinite headroom as 0", [row(Number.POSITIVE_INFINITY, 0), row(1, 0)], {}, [0, 1.01]],
  ];
  for (const [what, rows, params, want] of table) {
    it(`scores ${what}`, () => {
      const got = scores(rows, params);
      expect(got).toHaveLength(want.length);
      for (const [i, score] of got.entries()) expect(score).toBeCloseTo(want[i], 12);
    });
  }

  it("looks at the candidates alone, whatever other rows foretell", () => {
    const endpoints = poolOf([{}, {}, {}]);
    const request = requestOf(endpoints);
    request.put(KEY, predictionOf([row(1, 1), row(-1, 1), row(-5, 1)]));
    expect(scoresOf(make(latencyScorer, {}, endpoints), request, [2, 1])).toEqual([0.01, 1.01]);
  });
});

/** The words of spec/plugins.md 2.14 as lists of endpoints, one list a tier. */
function oracle(rows: readonly (PredictedRow | undefined)[], ttftWeight: number, tpotWeight: number, most: boolean) {
  const all = rows.map((one, i) => ({ i, ttft: one?.ttftHeadroomMs ?? 0, tpot: one?.tpotHeadroomMs ?? 0, one }));
  const positive = all.filter(({ ttft, tpot }) => ttft >= 0 && tpot >= 0);
  const late = all.filter((candidate) => !positive.includes(candidate));
  const tiers = [
    positive,
    late.filter(({ one }) => one!.dispatched === 0),
    late.filter(({ ttft }) => ttft >= 0),
    late.filter(({ tpot }) => tpot >= 0),
    late,
  ];
  const tier = tiers.find((list) => list.length > 0)!;
  const normalized = (sizes: readonly number[]) => {
    const [min, max] = [Math.min(...sizes), Math.max(...sizes)];
    return {
      varies: max - min > 1e-9,
      values: sizes.map((size) => (max - min > 1e-9 ? (size - min) / (max - min) : 0.5)),
    };
  };
  const ttft = normalized(tier.map((one) => Math.abs(one.ttft)));
  const tpot = normalized(tier.map((one) => Math.abs(one.tpot)));
  const sum = ttftWeight + tpotWeight;
  let [a, b] = sum > 0 ? [ttftWeight / sum, tpotWeight / sum] : [1, 0];
  if (ttft.varies && !tpot.varies) [a, b] = [1, 0];
  if (tpot.varies && !ttft.varies) [a, b] = [0, 1];
  const wanted = rows.map(() => 0);
  for (const [at, { i }] of tier.entries()) {
    const c = a * ttft.values[at] + b * tpot.values[at];
    wanted[i] = (Math.trunc((most && tier === positive ? c : 1 - c) * 100) + 1) / 100;
  }
  return wanted;
}

describe("latency-scorer against the words of its formula", () => {
  it("gives the same scores for any predictions", () => {
    const ms = fc.oneof(fc.integer({ min: -20, max: 20 }), fc.double({ min: -500, max: 500, noNaN: true }));
    const anyRow = fc.record({ ttftHeadroomMs: ms, tpotHeadroomMs: ms, dispatched: fc.nat(2) });
    const rows = fc
      .array(fc.option(anyRow, { nil: undefined, freq: 8 }), { minLength: 1, maxLength: 8 })
      .filter((list) => list.some((one) => one !== undefined));
    const weight = fc.constantFrom(0, 0.2, 0.8, 1, 3);
    fc.assert(
      fc.property(rows, weight, weight, fc.boolean(), (list, ttftWeight, tpotWeight, most) => {
        const params = { ttftWeight, tpotWeight, headroomSelectionStrategy: most ? "most" : "least" };
        expect(scores(list, params)).toEqual(oracle(list, ttftWeight, tpotWeight, most));
      }),
      { numRuns: 1000 },
    );
  });
});

describe("latency-scorer without a prediction", () => {
  const load: readonly Signals[] = [{ kvUsage: 0.5, waiting: 0 }, { kvUsage: 0.2, waiting: 4 }, {}];
  const composite = (params: object, matchBlocks?: readonly number[], signals = load) => {
    const endpoints = poolOf(signals);
    const request = requestOf(endpoints);
    if (matchBlocks) {
      const match = { matchBlocks: Int32Array.from(matchBlocks), totalBlocks: 8, blockSizeTokens: 64 };
      request.put(prefixMatchKey("approx-prefix-cache-producer"), match);
    }
    return scoresOf(make(latencyScorer, params, endpoints), request);
  };

  it("scores by free cache, queue and prefix in equal parts, in hundredths", () => {
    expect(composite({}, [8, 1, 0])).toEqual([0.83, 0.31, 0.67]);
    expect(composite({})).toEqual([0.5, 0.27, 0.67]);
  });

  it("takes other weights by their sum, and the cache alone when that is not above 0", () => {
    expect(composite({ compositeKVWeight: 3, compositePrefixWeight: 0 })).toEqual([0.63, 0.6, 1]);
    const none = { compositeKVWeight: 0, compositeQueueWeight: 0, compositePrefixWeight: 0 };
    expect(composite(none)).toEqual([0.5, 0.8, 1]);
    expect(composite({ ...none, compositeQueueWeight: -1 })).toEqual([0.5, 0.8, 1]);
  });

  it("counts empty queues as the best, and what is no number as 0", () => {
    const queue = { compositeKVWeight: 0, compositePrefixWeight: 0 };
    expect(composite(queue, undefined, [{ waiting: 0 }, {}])).toEqual([1, 1]);
    const broken: readonly Signals[] = [
      { kvUsage: Number.NaN },
      { kvUsage: Number.NEGATIVE_INFINITY },
      { kvUsage: Number.POSITIVE_INFINITY },
      { waiting: Number.NaN },
    ];
    expect(composite({}, undefined, broken)).toEqual([0, 0, 0, 0.67]);
  });
});

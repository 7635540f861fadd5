import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inflightLoadKey, prefixMatchKey, uncachedTokensKey } from "../../core/data-key.ts";
import type { Endpoints } from "../../core/endpoints.ts";
import type { PluginDefinition } from "../../core/plugin.ts";
import type { RequestState } from "../../core/request-state.ts";
import { InflightColumns } from "../producers/inflight-columns.ts";
import type { Signals } from "../test-support/fixture.ts";
import { make, poolOf, requestOf, scoresOf } from "../test-support/fixture.ts";
import { activeRequestScorer } from "./active-request-scorer.ts";
import { kvCacheUtilizationScorer } from "./kv-cache-utilization-scorer.ts";
import { prefixCacheScorer } from "./prefix-cache-scorer.ts";
import { queueScorer } from "./queue-scorer.ts";
import { runningRequestsSizeScorer } from "./running-requests-size-scorer.ts";
import { tokenLoadScorer } from "./token-load-scorer.ts";

/** A pod as scorers see it: signals, load of this picker, and what a request would find and cost there. */
interface Pod extends Signals {
  readonly requests?: number;
  readonly tokens?: number;
  readonly matchBlocks?: number;
  readonly uncached?: number;
}

const TOTAL_BLOCKS = 16;

function scene(pods: readonly Pod[], slots?: Int32Array): { endpoints: Endpoints; request: RequestState } {
  const endpoints = poolOf(pods.map(({ waiting, running, kvUsage }) => dropUndefined({ waiting, running, kvUsage })));
  const load = new InflightColumns(endpoints, "inflight-load-producer");
  for (const [slot, { requests = 0, tokens = 0 }] of pods.entries())
    if (requests + tokens) load.add(slot, requests, tokens);
  const request = requestOf(endpoints, {}, slots);
  const byRow = (value: (pod: Pod) => number) => [...request.table.slots].map((slot) => value(pods[slot]));
  request.put(prefixMatchKey("approx-prefix-cache-producer"), {
    matchBlocks: Int32Array.from(byRow((pod) => pod.matchBlocks ?? 0)),
    totalBlocks: TOTAL_BLOCKS,
    blockSizeTokens: 64,
  });
  request.put(uncachedTokensKey("inflight-load-producer"), {
    tokens: Float64Array.from(byRow((pod) => pod.uncached ?? 0)),
  });
  return { endpoints, request };
}

const dropUndefined = (row: { [K in keyof Signals]: Signals[K] | undefined }): Signals =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined));

const score = (definition: PluginDefinition, params: unknown, pods: readonly Pod[]): number[] => {
  const { endpoints, request } = scene(pods);
  return scoresOf(make(definition, params, endpoints), request);
};

describe("scorers, by table", () => {
  const table: [string, PluginDefinition, unknown, Pod[], number[]][] = [
    ["queues, linear between", queueScorer, {}, [{ waiting: 0 }, { waiting: 5 }, { waiting: 10 }], [1, 0.5, 0]],
    ["equal queues get 1, not 0 or 0.5", queueScorer, {}, [{ waiting: 7 }, { waiting: 7 }], [1, 1]],
    ["a queue never seen counts as 0", queueScorer, {}, [{}, { waiting: 2 }], [1, 0]],
    ["one candidate gets 1", queueScorer, {}, [{ waiting: 9 }], [1]],
    [
      "running requests",
      runningRequestsSizeScorer,
      {},
      [{ running: 4 }, { running: 1 }, { running: 3 }],
      [0, 1, 1 / 3],
    ],
    ["free KV cache", kvCacheUtilizationScorer, {}, [{ kvUsage: 0.25 }, { kvUsage: 1 }, {}], [0.75, 0, 1]],
    ["share of the prompt held", prefixCacheScorer, {}, [{ matchBlocks: 4 }, { matchBlocks: 16 }, {}], [0.25, 1, 0]],
    [
      "with the match's length: w * (match / scale)^2 + (1 - w) * ratio",
      prefixCacheScorer,
      { matchLengthWeight: 0.5, matchLengthScaleTokens: 1024 },
      [{ matchBlocks: 8 }, { matchBlocks: 16 }],
      [0.5 * 0.25 + 0.5 * 0.5, 1],
    ],
    [
      "a match longer than the scale counts as the scale",
      prefixCacheScorer,
      { matchLengthWeight: 1, matchLengthScaleTokens: 64 },
      [{ matchBlocks: 1 }, { matchBlocks: 9 }, {}],
      [1, 1, 0],
    ],
    ["requests in flight", activeRequestScorer, {}, [{ requests: 4 }, { requests: 1 }, {}], [0, 0.75, 1]],
    ["idle threshold", activeRequestScorer, { idleThreshold: 1 }, [{ requests: 4 }, { requests: 1 }], [0, 1]],
    ["an idle threshold below 0 is 0", activeRequestScorer, { idleThreshold: -3 }, [{}, { requests: 2 }], [1, 0]],
    [
      "best score of busy ones",
      activeRequestScorer,
      { maxBusyScore: 0.4 },
      [{ requests: 4 }, { requests: 1 }, {}],
      [0, 0.75 * 0.4, 1],
    ],
    ["a busy score of 0 is kept", activeRequestScorer, { maxBusyScore: 0 }, [{ requests: 4 }, { requests: 1 }], [0, 0]],
    ["one out of range is 1", activeRequestScorer, { maxBusyScore: 7 }, [{ requests: 4 }, { requests: 1 }], [0, 0.75]],
    [
      "tokens in flight and to come",
      tokenLoadScorer,
      { queueThresholdTokens: 100 },
      [{ tokens: 20, uncached: 5 }, { uncached: 100 }, { tokens: 400 }, {}],
      [0.75, 0, 0, 1],
    ],
    ["a threshold of 0 is the default", tokenLoadScorer, { queueThresholdTokens: 0 }, [{ tokens: 2_097_152 }], [0.5]],
  ];
  for (const [what, definition, params, pods, expected] of table) {
    it(`${definition.type}: ${what}`, () => {
      const scores = score(definition, params, pods);
      expect(scores).toHaveLength(expected.length);
      for (const [i, value] of expected.entries()) expect(scores[i]).toBeCloseTo(value, 12);
    });
  }

  it("prefix-cache-scorer gives 0 without data, and for a request without blocks", () => {
    const endpoints = poolOf([{}, {}]);
    const plugin = make(prefixCacheScorer, {}, endpoints);
    const request = requestOf(endpoints);
    expect(scoresOf(plugin, request)).toEqual([0, 0]);
    request.put(prefixMatchKey("approx-prefix-cache-producer"), {
      matchBlocks: new Int32Array(2),
      totalBlocks: 0,
      blockSizeTokens: 64,
    });
    expect(scoresOf(plugin, request)).toEqual([0, 0]);
  });

  it("read the producer that the config names, and the default one for an empty name", () => {
    const needs = (definition: PluginDefinition, params: unknown) =>
      definition.data!(definition.params.parse(params), "x").requires!.map(({ id }) => id);
    expect(needs(prefixCacheScorer, { prefixMatchInfoProducerName: "mine" })).toEqual(["PrefixCacheMatchInfo/mine"]);
    expect(needs(prefixCacheScorer, { prefixMatchInfoProducerName: "" })).toEqual([
      prefixMatchKey("approx-prefix-cache-producer").id,
    ]);
    expect(needs(activeRequestScorer, {})).toEqual([inflightLoadKey("inflight-load-producer").id]);
  });
});

describe("parameters", () => {
  const refused: [PluginDefinition, unknown][] = [
    [prefixCacheScorer, { matchLengthWeight: 1.5 }],
    [prefixCacheScorer, { matchLengthWeight: 0.5, matchLengthScaleTokens: 0 }],
    [prefixCacheScorer, { hashBlockSize: 64 }],
    [activeRequestScorer, { idleThreshold: 1.5 }],
    [tokenLoadScorer, { queueThresholdTokens: "5" }],
  ];
  for (const [definition, params] of refused) {
    it(`${definition.type} refuses ${JSON.stringify(params)}`, () => {
      expect(definition.params.safeParse(params).success).toBe(false);
    });
  }
  it("prefix-cache-scorer takes a scale of 0 as long as the length has no weight", () => {
    expect(prefixCacheScorer.params.safeParse({ matchLengthScaleTokens: 0 }).success).toBe(true);
  });
});

const pod = fc.record({
  waiting: fc.nat(50),
  running: fc.nat(50),
  kvUsage: fc.double({ min: 0, max: 1, noNaN: true }),
  requests: fc.nat(20),
  tokens: fc.nat(10_000),
  matchBlocks: fc.nat(TOTAL_BLOCKS),
  uncached: fc.nat(10_000),
});
const pods = fc.array(pod, { minLength: 1, maxLength: 12 });

/** What a scorer may follow. */
type Field = "waiting" | "running" | "kvUsage" | "requests" | "tokens" | "matchBlocks" | "uncached";
/** Each scorer with the fields whose growth may not make its score better (or, for a match, not worse). */
const cases: [PluginDefinition, unknown, Field[], 1 | -1][] = [
  [queueScorer, {}, ["waiting"], -1],
  [runningRequestsSizeScorer, {}, ["running"], -1],
  [kvCacheUtilizationScorer, {}, ["kvUsage"], -1],
  [prefixCacheScorer, {}, ["matchBlocks"], 1],
  [prefixCacheScorer, { matchLengthWeight: 0.7, matchLengthScaleTokens: 500 }, ["matchBlocks"], 1],
  [activeRequestScorer, {}, ["requests"], -1],
  [activeRequestScorer, { idleThreshold: 3, maxBusyScore: 0.4 }, ["requests"], -1],
  [tokenLoadScorer, { queueThresholdTokens: 5000 }, ["tokens", "uncached"], -1],
];
for (const [definition, params, fields, sign] of cases) {
  describe(`${definition.type} ${JSON.stringify(params)}`, () => {
    it("stays within 0..1", () => {
      fc.assert(
        fc.property(pods, (some) => score(definition, params, some).every((value) => value >= 0 && value <= 1)),
      );
    });

    it("gives each candidate the same score in any order of the candidates", () => {
      fc.assert(
        fc.property(pods, fc.infiniteStream(fc.nat()), (some, stream) => {
          const keys = some.map(() => stream.next().value as number);
          const order = Int32Array.from(some.keys()).sort((a, b) => keys[a] - keys[b] || a - b);
          const plain = score(definition, params, some);
          const { endpoints, request } = scene(some, order);
          const shuffled = scoresOf(make(definition, params, endpoints), request);
          expect(shuffled).toEqual([...order].map((slot) => plain[slot]));
        }),
      );
    });

    it("follows its signal in one direction", () => {
      fc.assert(
        fc.property(fc.array(pod, { minLength: 2, maxLength: 8 }), (some) => {
          const scores = score(definition, params, some);
          const signal = some.map((one) => fields.reduce((sum, field) => sum + one[field], 0));
          for (const [i, mine] of scores.entries()) {
            for (const [j, other] of scores.entries()) {
              if (signal[i] > signal[j]) expect(sign * (mine - other)).toBeGreaterThanOrEqual(0);
              if (signal[i] === signal[j]) expect(mine).toBe(other);
            }
          }
        }),
      );
    });
  });
}

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePlan } from "../../config/compile-plan.ts";
import { blockIds } from "../../core/block-ids.ts";
import { prefixMatchKey } from "../../core/data-key.ts";
import { Endpoints } from "../../core/endpoints.ts";
import { approxPrefixCacheProducer } from "../producers/approx-prefix-cache-producer.ts";
import { multiclusterApproxPrefixCacheProducer } from "../producers/multicluster-approx-prefix-cache-producer.ts";
import { make, poolOf, requestOf, resultOf, scoresOf, targetOf } from "../test-support/fixture.ts";
import { multiclusterPrefixCacheScorer } from "./multicluster-prefix-cache-scorer.ts";
import { prefixCacheScorer } from "./prefix-cache-scorer.ts";

const CLUSTERS = 3;

/** A producer and its scorer over clusters, played one request after another. */
function scene(producer: typeof approxPrefixCacheProducer, scorer: typeof prefixCacheScorer, params: object) {
  const endpoints = poolOf(Array.from({ length: CLUSTERS }, () => ({})));
  const index = make(producer, {}, endpoints);
  const scoring = make(scorer, params, endpoints);
  return (tokens: number, row: number) => {
    const bytes = new Uint8Array(Uint32Array.from({ length: tokens }, (_, i) => i).buffer);
    const request = requestOf(endpoints, blockIds([{ bytes }], index.blockSizesTokens()));
    index.produce(request);
    const scores = scoresOf(scoring, request);
    index.preRequest(request, resultOf([targetOf(request, row)]));
    return scores;
  };
}

describe("the multi-cluster prefix index and its scorer", () => {
  it("give the same scores as the plain ones, whatever is sent", () => {
    const sent = fc.array(fc.record({ tokens: fc.nat(400), row: fc.nat(CLUSTERS - 1) }), { maxLength: 12 });
    const params = fc.record({
      matchLengthWeight: fc.double({ min: 0, max: 1, noNaN: true }),
      matchLengthScaleTokens: fc.integer({ min: 1, max: 500 }),
    });
    fc.assert(
      fc.property(sent, params, (requests, given) => {
        const plain = scene(approxPrefixCacheProducer, prefixCacheScorer, given);
        const clusters = scene(multiclusterApproxPrefixCacheProducer, multiclusterPrefixCacheScorer, given);
        for (const { tokens, row } of requests) {
          const scores = clusters(tokens, row);
          expect(scores).toEqual(plain(tokens, row));
          for (const score of scores) expect(score >= 0 && score <= 1).toBe(true);
        }
      }),
    );
  });

  it("know where a prompt went", () => {
    const send = scene(multiclusterApproxPrefixCacheProducer, multiclusterPrefixCacheScorer, {});
    expect(send(128, 1)).toEqual([0, 0, 0]);
    expect(send(256, 0)).toEqual([0, 0.5, 0]);
  });

  it("are of alpha, and the scorer needs its own producer to be declared", () => {
    const compile = (text: string, alpha: boolean) =>
      compilePlan(
        { text, options: { "allow-experimental-plugins": alpha } },
        { endpoints: new Endpoints(), seed: 1, limits: { prefixIndexBytesMax: 1 << 20 } },
      );
    const alone = "plugins: [{type: multicluster-prefix-cache-scorer}]";
    const both =
      "plugins: [{type: multicluster-prefix-cache-scorer}, {type: multicluster-approx-prefix-cache-producer}]";
    expect(() => compile(alone, true)).toThrow(/nothing that produces PrefixCacheMatchInfo/);
    expect(() => compile(both, false)).toThrow(/experimental/);
    expect(compile(both, true).producers.map(({ name }) => name)).toEqual([
      "token-producer",
      "multicluster-approx-prefix-cache-producer",
    ]);
    expect(prefixMatchKey("multicluster-approx-prefix-cache-producer").id).toBe(
      multiclusterPrefixCacheScorer.data!(multiclusterPrefixCacheScorer.params.parse({}), "x").requires![0].id,
    );
  });

  it("treat a block size that is not known as no length", () => {
    const endpoints = poolOf([{}]);
    const request = requestOf(endpoints);
    const plugin = make(prefixCacheScorer, { matchLengthWeight: 0.5 }, endpoints);
    const match = { matchBlocks: Int32Array.of(1), totalBlocks: 2, blockSizeTokens: 0 };
    request.put(prefixMatchKey("approx-prefix-cache-producer"), match);
    expect(scoresOf(plugin, request)).toEqual([0.5]);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { prefixMatchKey } from "../../core/data-key.ts";
import type { Endpoints } from "../../core/endpoints.ts";
import { make, poolOf, requestOf, resultOf, scoresOf, targetOf } from "../test-support/fixture.ts";
import { noHitLruScorer } from "./no-hit-lru-scorer.ts";

function request(endpoints: Endpoints, matchBlocks: readonly number[] = []) {
  const made = requestOf(endpoints);
  made.put(prefixMatchKey("approx-prefix-cache-producer"), {
    matchBlocks: Int32Array.from({ length: made.table.count }, (_, row) => matchBlocks[row] ?? 0),
    totalBlocks: 4,
    blockSizeTokens: 64,
  });
  return made;
}

/** A cold request that is scored and goes to the endpoint of a row. */
function serve(plugin: ReturnType<typeof make>, endpoints: Endpoints, row: number, prefillRow?: number): number[] {
  const made = request(endpoints);
  const scores = scoresOf(plugin, made);
  const targets = [targetOf(made, row)];
  if (prefillRow !== undefined) targets.push(targetOf(made, prefillRow, "prefill"));
  plugin.preRequest(made, resultOf(targets));
  return scores;
}

describe("no-hit-lru-scorer", () => {
  it("gives 0.5 to all when a candidate holds some of the prompt", () => {
    const endpoints = poolOf([{}, {}, {}]);
    expect(scoresOf(make(noHitLruScorer, {}, endpoints), request(endpoints, [0, 2, 0]))).toEqual([0.5, 0.5, 0.5]);
  });

  it("gives a single candidate of a cold request 1", () => {
    const endpoints = poolOf([{}]);
    expect(scoresOf(make(noHitLruScorer, {}, endpoints), request(endpoints))).toEqual([1]);
  });

  it("ranks those without a cold request first, in order, then the oldest", () => {
    const endpoints = poolOf([{}, {}, {}]);
    const plugin = make(noHitLruScorer, {}, endpoints);
    expect(serve(plugin, endpoints, 1)).toEqual([1, 0.5, 0]);
    expect(serve(plugin, endpoints, 2)).toEqual([1, 0, 0.5]);
    expect(serve(plugin, endpoints, 0)).toEqual([1, 0.5, 0]);
    expect(serve(plugin, endpoints, 1)).toEqual([0, 1, 0.5]);
  });

  it("remembers the pick of profile prefill too, and that of no other", () => {
    const endpoints = poolOf([{}, {}, {}]);
    const plugin = make(noHitLruScorer, {}, endpoints);
    serve(plugin, endpoints, 0, 1);
    expect(scoresOf(plugin, request(endpoints))).toEqual([0.5, 0, 1]);
    const made = request(endpoints);
    scoresOf(plugin, made);
    plugin.preRequest(made, resultOf([targetOf(made, 0), targetOf(made, 2, "encode")]));
    expect(scoresOf(plugin, request(endpoints))).toEqual([0, 0.5, 1]);
  });

  it("does not remember the pick of a warm request", () => {
    const endpoints = poolOf([{}, {}]);
    const plugin = make(noHitLruScorer, {}, endpoints);
    const warm = request(endpoints, [1]);
    scoresOf(plugin, warm);
    plugin.preRequest(warm, resultOf([targetOf(warm, 0)]));
    expect(scoresOf(plugin, request(endpoints))).toEqual([1, 0]);
  });

  it("forgets the oldest beyond lruSize", () => {
    const endpoints = poolOf([{}, {}, {}]);
    const plugin = make(noHitLruScorer, { lruSize: 1 }, endpoints);
    serve(plugin, endpoints, 0);
    serve(plugin, endpoints, 1);
    expect(scoresOf(plugin, request(endpoints))).toEqual([1, 0, 0.5]);
  });

  it("stays within 0..1 for any history", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5), { maxLength: 40 }), fc.integer({ min: 1, max: 8 }), (history, lruSize) => {
        const endpoints = poolOf([{}, {}, {}, {}, {}, {}]);
        const plugin = make(noHitLruScorer, { lruSize }, endpoints);
        for (const row of history) {
          for (const score of serve(plugin, endpoints, row)) {
            expect(score).toBeGreaterThanOrEqual(0);
            expect(score).toBeLessThanOrEqual(1);
          }
        }
      }),
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { prefixMatchKey } from "../../core/data-key.ts";
import type { RequestFacts } from "../../core/request-facts.ts";
import { make, poolOf, requestOf } from "../test-support/fixture.ts";
import { alwaysDisaggMultimodalDecider, alwaysDisaggPdDecider } from "./always-deciders.ts";
import { prefixBasedPdDecider } from "./prefix-based-pd-decider.ts";

const endpoints = poolOf([{}, {}]);

/** A prompt of so many tokens, of which the candidates hold so many blocks of `blockSizeTokens`. */
function requestWith(facts: Partial<RequestFacts>, blocks?: readonly number[], blockSizeTokens = 64) {
  const request = requestOf(endpoints, facts);
  if (blocks) {
    const matchBlocks = Int32Array.from(blocks);
    request.put(prefixMatchKey("approx-prefix-cache-producer"), { matchBlocks, totalBlocks: 99, blockSizeTokens });
  }
  return request;
}

describe("always-disagg-pd-decider", () => {
  it("says yes, whatever stands under its parameters", () => {
    const decider = make(alwaysDisaggPdDecider, {}, endpoints);
    expect(decider.decide(requestOf(endpoints), 0)).toBe(true);
    expect(decider.decide(requestOf(endpoints), -1)).toBe(true);
    expect(alwaysDisaggPdDecider.ignoresParams).toBe(true);
  });
});

describe("always-disagg-multimodal-decider", () => {
  const decider = make(alwaysDisaggMultimodalDecider, {}, endpoints);
  const item = { prompt: 0, modality: "image", hash: "a", offsetTokens: 0, lengthTokens: 1 };

  it("says yes to a prompt with a medium, with or without a decode pod", () => {
    expect(decider.decide(requestOf(endpoints, { media: [item] }), 0)).toBe(true);
    expect(decider.decide(requestOf(endpoints, { media: [item] }), -1)).toBe(true);
  });

  it("says no to a prompt without", () => {
    expect(decider.decide(requestOf(endpoints), 0)).toBe(false);
    expect(decider.decide(requestOf(endpoints, { media: [] }), 0)).toBe(false);
  });
});

describe("prefix-based-pd-decider", () => {
  const decide = (params: object, request: ReturnType<typeof requestWith>, row = 0) =>
    make(prefixBasedPdDecider, params, endpoints).decide(request, row);
  const table: readonly (readonly [string, object, Partial<RequestFacts>, readonly number[] | undefined, boolean])[] = [
    ["is off at 0", { nonCachedTokens: 0 }, { inputTokens: 1e6 }, [0, 0], false],
    ["is off without parameters", {}, { inputTokens: 1e6 }, [0, 0], false],
    ["says yes from so many uncached tokens on", { nonCachedTokens: 100 }, { inputTokens: 100 }, [0, 0], true],
    ["says no below them", { nonCachedTokens: 101 }, { inputTokens: 100 }, [0, 0], false],
    ["takes off what the decode pod holds", { nonCachedTokens: 37 }, { inputTokens: 100 }, [1, 0], false],
    ["and nothing more", { nonCachedTokens: 36 }, { inputTokens: 100 }, [1, 0], true],
    ["takes the last block as a whole one", { nonCachedTokens: 1 }, { inputTokens: 100 }, [2, 0], false],
    ["looks at no other pod", { nonCachedTokens: 100 }, { inputTokens: 100 }, [0, 2], true],
    ["says no below promptTokens", { nonCachedTokens: 1, promptTokens: 101 }, { inputTokens: 100 }, [0, 0], false],
    ["and may say yes from there on", { nonCachedTokens: 1, promptTokens: 100 }, { inputTokens: 100 }, [0, 0], true],
    ["says no where no prefixes are told", { nonCachedTokens: 1 }, { inputTokens: 100 }, undefined, false],
    ["takes a prompt that was not tokenised as 0 tokens", { nonCachedTokens: 1 }, { inputTokens: -1 }, [0, 0], false],
    ["of bytes says no below them", { nonCachedBytes: 100 }, { inputTokens: 25, promptBytes: 99 }, [0, 0], false],
    ["of bytes says yes from there on", { nonCachedBytes: 100 }, { inputTokens: 25, promptBytes: 100 }, [0, 0], true],
    ["of bytes takes blocks off", { nonCachedBytes: 45 }, { inputTokens: 75, promptBytes: 300 }, [1, 0], false],
    ["of bytes takes no more off", { nonCachedBytes: 44 }, { inputTokens: 75, promptBytes: 300 }, [1, 0], true],
    ["of bytes takes 4 a token when none are told", { nonCachedBytes: 100 }, { inputTokens: 25 }, [0, 0], true],
    ["of both wants both", { nonCachedTokens: 9, nonCachedBytes: 40 }, { inputTokens: 9, promptBytes: 36 }, [0], false],
    [
      "of both is content then",
      { nonCachedTokens: 9, nonCachedBytes: 34 },
      { inputTokens: 9, promptBytes: 34 },
      [0],
      true,
    ],
  ];
  it.each(table)("%s", (_what, params, facts, blocks, yes) => {
    expect(decide(params, requestWith(facts, blocks))).toBe(yes);
  });

  it("says no without a decode pod", () => {
    expect(decide({ nonCachedTokens: 1 }, requestWith({ inputTokens: 100 }, [0, 0]), -1)).toBe(false);
  });

  it("reads the default producer's prefixes alone", () => {
    const request = requestWith({ inputTokens: 100 });
    const matchBlocks = Int32Array.of(0, 0);
    request.put(prefixMatchKey("precise"), { matchBlocks, totalBlocks: 2, blockSizeTokens: 64 });
    expect(decide({ nonCachedTokens: 1 }, request)).toBe(false);
  });

  it("says yes more readily the less is held and the lower the limit", () => {
    const blocks = fc.integer({ min: 0, max: 50 });
    fc.assert(
      fc.property(fc.nat(4000), blocks, blocks, fc.nat(4000), fc.nat(4000), (inputTokens, a, b, n, m) => {
        const [less, more] = [Math.min(a, b), Math.max(a, b)];
        const [low, high] = [Math.min(n, m) + 1, Math.max(n, m) + 1];
        const yes = (held: number, nonCachedTokens: number) =>
          decide({ nonCachedTokens }, requestWith({ inputTokens }, [held, 0]));
        if (yes(more, low)) expect(yes(less, low)).toBe(true);
        if (yes(less, high)) expect(yes(less, low)).toBe(true);
        // As stated: tokens that the decode pod would have to compute.
        expect(yes(less, low)).toBe(inputTokens - less * 64 >= low);
      }),
    );
  });

  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "1", null])("takes no limit of %s", (limit) => {
    for (const key of ["nonCachedTokens", "promptTokens", "nonCachedBytes"]) {
      expect(prefixBasedPdDecider.params.safeParse({ [key]: limit }).success).toBe(false);
    }
  });

  it("takes bytes as no stock release does", () => {
    expect(prefixBasedPdDecider.stockParams!.safeParse({ nonCachedBytes: 1 }).success).toBe(false);
    expect(prefixBasedPdDecider.stockParams!.safeParse({ nonCachedTokens: 1, promptTokens: 2 }).success).toBe(true);
  });
});

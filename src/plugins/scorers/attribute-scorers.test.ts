import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tokenizedPromptKey } from "../../core/data-key.ts";
import { keptBy, make, poolOf, requestOf, scoresOf } from "../test-support/fixture.ts";
import { contextLengthAware } from "./context-length-aware.ts";
import { endpointAttributeScorer } from "./endpoint-attribute-scorer.ts";

describe("endpoint-attribute-scorer", () => {
  const scores = (heats: readonly (number | undefined)[], type: string, normalization?: object) => {
    const endpoints = poolOf(heats.map((heat) => (heat === undefined ? {} : { attributes: { heat } })));
    const params = { attributeKey: "heat", algorithm: { type, ...(normalization && { normalization }) } };
    return scoresOf(make(endpointAttributeScorer, params, endpoints), requestOf(endpoints));
  };

  it("measures by the candidates' own range, where nothing is told", () => {
    expect(scores([0, 5, 10, undefined], "linear_higher_is_better")).toEqual([0, 0.5, 1, 0]);
    expect(scores([0, 5, 10, undefined], "linear_lower_is_better", { adaptiveRange: {} })).toEqual([1, 0.5, 0, 0]);
    expect(scores([7, 7], "linear_lower_is_better")).toEqual([1, 1]);
    expect(scores([undefined], "linear_lower_is_better")).toEqual([0]);
  });

  it("measures by a fixed range and holds what is beyond", () => {
    const normalization = { fixedRange: { min: 0, max: 10 } };
    expect(scores([-5, 0, 4, 10, 20], "linear_higher_is_better", normalization)).toEqual([0, 0, 0.4, 1, 1]);
    expect(scores([-5, 5], "linear_lower_is_better", normalization)).toEqual([1, 0.5]);
  });

  it("gives numbers from 0 to 1, and turns them round for the other end", () => {
    const heat = fc.double({ min: -1e9, max: 1e9, noNaN: true });
    fc.assert(
      fc.property(fc.array(heat, { minLength: 1, maxLength: 20 }), (heats) => {
        const higher = scores(heats, "linear_higher_is_better");
        const lower = scores(heats, "linear_lower_is_better");
        const equal = Math.min(...heats) === Math.max(...heats);
        for (const [i, score] of higher.entries()) {
          expect(score).toBeGreaterThanOrEqual(0);
          expect(score).toBeLessThanOrEqual(1);
          expect(lower[i]).toBe(equal ? 1 : 1 - score);
        }
      }),
    );
  });
});

describe("context-length-aware", () => {
  const scene = (ranges: readonly (string | undefined)[], tokens: number, params: object = {}) => {
    const endpoints = poolOf(ranges.map(() => ({})));
    for (const [slot, range] of ranges.entries()) {
      const labels = range === undefined ? {} : { "llm-d.ai/context-length-range": range };
      endpoints.describe(slot, { ...endpoints.description[slot], labels });
    }
    const request = requestOf(endpoints);
    request.put(tokenizedPromptKey("token-producer"), { tokens });
    const plugin = make(contextLengthAware, params, endpoints);
    return { scores: scoresOf(plugin, request), kept: keptBy(plugin, request) };
  };

  const table: readonly (readonly [string | undefined, number, number])[] = [
    [undefined, 100, 0.5],
    ["nonsense", 100, 0],
    ["-5-10", 7, 0],
    ["200-100", 150, 0],
    ["100-100", 100, 1],
    ["0-10000", 0, 0.3 + 0.7 * (0.7 / 2 + 0.3)],
    ["0-10000", 10_000, 0.3 + 0.7 * (0.7 / 2)],
    ["100-200", 1200, 0.3 / 2],
    ["2000-3000", 1000, 0.3 / 2],
    ["0-9223372036854775807", 9, 0.3 + 0.7 * 0.3],
    ["0-99999999999999999999", 9, 0],
  ];
  for (const [range, tokens, score] of table) {
    it(`scores ${tokens} tokens at an endpoint for ${range ?? "all"} by ${score}`, () => {
      expect(scene([range], tokens).scores[0]).toBeCloseTo(score, 12);
    });
  }

  it("drops endpoints only where it is told to", () => {
    const ranges = ["0-99", "100-200", undefined, "nonsense", "100-100"];
    expect(scene(ranges, 100).kept).toEqual([0, 1, 2, 3, 4]);
    expect(scene(ranges, 100, { enableFiltering: true }).kept).toEqual([1, 2, 4]);
  });
});

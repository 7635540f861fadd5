import { describe, expect, it } from "vitest";
import { didYouMean } from "./did-you-mean.ts";

describe("didYouMean", () => {
  it.each([
    ["queue-scorrer", "queue-scorer"],
    ["Queue-Scorer", "queue-scorer"],
    ["max-score-piker", "max-score-picker"],
    ["pdos", "pods"],
    ["zzz", undefined],
    ["", undefined],
  ])("%j means %j", (typed, want) =>
    expect(didYouMean(typed, ["queue-scorer", "max-score-picker", "pods", "prefix-cache-scorer"])).toBe(want),
  );
});

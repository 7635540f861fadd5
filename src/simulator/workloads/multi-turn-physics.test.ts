import { describe, expect, it } from "vitest";
import { findEnginePreset, presetEngineOptions } from "../engine/presets.ts";
import { createSeededRandom } from "../engine/seeded-random.ts";
import { playMultiTurn, type FleetResult } from "../test-support/virtual-fleet.ts";

const PODS = 4;
const SEEDS = [1, 2, 3, 4, 5, 6];
const preset = findEnginePreset("Qwen3-0.6B", "L4")!;

function play(seed: number, policy: "random" | "sticky", cacheGeneratedTokens: boolean): FleetResult {
  const random = createSeededRandom(seed, "routes");
  const route = (turn: { conversation: number }): number =>
    policy === "random" ? random.below(PODS) : turn.conversation % PODS;
  return playMultiTurn({ seed }, { ...presetEngineOptions(preset), cacheGeneratedTokens }, PODS, route);
}
const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;

// The bands are those of a plain Monte Carlo of this workload; single seeds may lie a little outside.
describe("the multi-turn workload on four pods of Qwen3-0.6B on L4, under a virtual clock", () => {
  it.each([
    ["random", false, 0.55, 0.61],
    ["random", true, 0.59, 0.65],
    ["sticky", false, 0.865, 0.885],
    ["sticky", true, 0.91, 0.93],
  ] as const)(
    "hits with %s routing and generated tokens cached: %s in a share of %d to %d",
    (policy, cached, low, high) => {
      const rates = SEEDS.map((seed) => play(seed, policy, cached).hitRate);
      expect(mean(rates)).toBeGreaterThan(low);
      expect(mean(rates)).toBeLessThan(high);
      for (const rate of rates) expect(Math.abs(rate - mean(rates))).toBeLessThan(0.04);
    },
  );

  it("takes times like the published ones: TTFT p95 745 ms random and 272 ms sticky, 228 and 243 s in all", () => {
    const seeds = SEEDS.slice(0, 3);
    const random = seeds.map((seed) => play(seed, "random", true));
    const sticky = seeds.map((seed) => play(seed, "sticky", true));
    expect(mean(random.map((r) => r.ttftMs(0.95))) / 745).toBeCloseTo(1, 0);
    expect(mean(random.map((r) => r.ttftMs(0.95)))).toBeGreaterThan(2 * mean(sticky.map((r) => r.ttftMs(0.95))));
    expect(mean(sticky.map((r) => r.ttftMs(0.95)))).toBeGreaterThan(150);
    expect(mean(random.map((r) => r.endUs)) / 228e6).toBeCloseTo(1, 0);
  });

  it("gives the same times to the microsecond when it is played again", () => {
    const outcome = (): unknown[] => play(3, "random", true).served.map((s) => [s.turn.id, s.pod, s.finishedUs]);
    expect(outcome()).toEqual(outcome());
  });
});

import { describe, expect, it } from "vitest";
import { createEngine } from "./engine.ts";
import { ENGINE_PRESETS, findEnginePreset, presetEngineOptions } from "./presets.ts";
import { stepTimeUs } from "./step-time.ts";

/** Prompt tokens a second of one prompt of 8,192 tokens computed in one step. */
const prefillRate = (model: string, gpu: string): number => {
  const tokens = 8192;
  const work = {
    prefillTokens: tokens,
    prefillContextTokens: (tokens * tokens) / 2,
    decodes: 0,
    decodeContextTokens: 0,
  };
  return (tokens / stepTimeUs(findEnginePreset(model, gpu)!.stepTime, work)) * 1e6;
};

describe("engine presets", () => {
  // The rates that the same constants give in the simulation study, from which the table was taken.
  it.each([
    ["Qwen3-0.6B", "L4", 26_100],
    ["Qwen3-0.6B", "H100", 257_000],
    ["Qwen3-4B", "L40S", 16_400],
    ["Qwen3-8B", "H100", 29_500],
    ["Llama-3.1-8B", "A100", 10_500],
    ["Qwen3-14B", "H100", 16_200],
    ["Llama-3.1-70B", "H100x4", 13_000],
  ])("compute prompts of 8k of %s on %s at the rate of the study", (model, gpu, rate) => {
    expect(prefillRate(model, gpu) / rate).toBeCloseTo(1, 1);
  });

  it("are within 30 % of a measured prefill rate: Qwen3-32B on two H100 at 15.9 to 20.5 thousand tokens a second", () => {
    expect(prefillRate("Qwen3-32B", "H100x2")).toBeGreaterThan(15_928 * 0.7);
    expect(prefillRate("Qwen3-32B", "H100x2")).toBeLessThan(20_480 * 1.3);
  });

  it("each make an engine, at 16 and at 64 tokens a block", () => {
    for (const preset of ENGINE_PRESETS) {
      for (const blockSize of [16, 64]) {
        const options = presetEngineOptions(preset, blockSize);
        const { usableBlocks } = createEngine(options).signals();
        expect(usableBlocks * blockSize).toBeLessThanOrEqual(preset.kvCacheTokens);
        expect(usableBlocks * blockSize).toBeGreaterThan(preset.kvCacheTokens - blockSize);
      }
    }
  });

  it("are found by name without regard to case, and not found otherwise", () => {
    expect(findEnginePreset("qwen3-0.6b", "l4")?.model).toBe("Qwen3-0.6B");
    expect(findEnginePreset("Qwen3-0.6B", "T4")).toBeUndefined();
  });
});

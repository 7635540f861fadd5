import { afterEach, describe, expect, it } from "vitest";
import { runMultiTurn } from "./multi-turn-client.ts";
import type { PodFleet } from "./pods/start-pods.ts";
import { startPods } from "./pods/start-pods.ts";
import { percentiles, type TurnResult } from "./workloads/multi-turn-summary.ts";

let fleet: PodFleet | undefined;
afterEach(() => fleet?.stop());

const start = async (options: Parameters<typeof startPods>[0]): Promise<{ baseUrl: string; fleet: PodFleet }> => {
  fleet = await startPods(options);
  return { baseUrl: fleet.pods[0].url, fleet };
};
const small = { seed: 3, documentBytes: [4000, 5000, 6000], turns: 3, outputTokensMax: 40 };

describe("the multi-turn client", () => {
  it("plays the playbook's workload on one pod: the hit rate of sticky routing", async () => {
    const { baseUrl } = await start({ timeScale: 0 });
    const seen: number[] = [];
    const run = await runMultiTurn({
      baseUrl,
      model: "Qwen3-0.6B",
      workload: { seed: 1, warmups: 5 },
      timeScale: 0,
      onTurn: (_, progress) => seen.push(progress.done / progress.total),
    });
    expect(run.summary).toMatchObject({ requests: 110, failed: 0 });
    expect(run.summary.hitRate).toBeGreaterThan(0.91);
    expect(run.summary.hitRate).toBeLessThan(0.93);
    expect(run.summary.pods.map((pod) => [pod.pod, pod.requests])).toEqual([["pod-0", 110]]);
    expect(run.turns).toHaveLength(115);
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  it("reports model time that is not shortened by the time scale, and thinks in model time", async () => {
    const { baseUrl } = await start({ timeScale: 0.02 });
    const run = await runMultiTurn({ baseUrl, model: "Qwen3-0.6B", workload: small, workers: 1, timeScale: 0.02 });
    const first = run.turns[0];
    // One request alone: a step is 6.3 ms and 18.2 us a prompt token, and there is attention on top.
    expect(first.ttftMs).toBeGreaterThan(6.3 + (first.promptTokens * 18.2) / 1000);
    expect(first.ttftMs).toBeLessThan(2 * (6.3 + (first.promptTokens * 18.2) / 1000));
    expect(first.cachedTokens).toBe(0);
    expect(run.turns.every((turn) => turn.queueMs === 0 && turn.outputTokens === 40)).toBe(true);
    expect(run.turns.slice(3).every((turn) => turn.cachedTokens > 500 && turn.ttftMs! < first.ttftMs!)).toBe(true);
    // 9 turns of at least half a second of thinking.
    expect(run.wallMs).toBeGreaterThan(9 * 500 * 0.02);
  });

  it("reports a turn that failed and goes on, and counts it", async () => {
    const { baseUrl, fleet } = await start({ timeScale: 0 });
    const results: TurnResult[] = [];
    const run = await runMultiTurn({
      baseUrl,
      model: "Qwen3-0.6B",
      workload: small,
      timeScale: 0,
      workers: 1,
      onTurn: (result) => {
        results.push(result);
        fleet.pods[0].faults =
          results.length === 2 ? { requests: "die" } : results.length === 4 ? { requests: "error" } : {};
      },
    });
    expect(run.summary).toMatchObject({ requests: 7, failed: 2 });
    expect(results[2].error).toMatch(/^Cannot get a chat answer: (aborted|the stream ended)/);
    expect(results[4].error).toContain("status 500");
    expect(results.filter((result) => result.error === undefined)).toHaveLength(7);
  });

  it("fails every turn, with the cause, where nothing listens", async () => {
    const { baseUrl, fleet } = await start({ timeScale: 0 });
    await fleet.stop();
    const run = await runMultiTurn({ baseUrl, model: "m", workload: { ...small, turns: 1 }, timeScale: 0 });
    expect(run.summary).toMatchObject({ requests: 0, failed: 3, hitRate: 0, ttftMs: { p50: 0, p95: 0, p99: 0 } });
    expect(run.turns[0].error).toContain("ECONNREFUSED");
  });

  it("fails a turn that takes too long", async () => {
    const { baseUrl, fleet } = await start({ timeScale: 0 });
    fleet.pods[0].faults = { requests: "hang" };
    const workload = { ...small, turns: 1, documentBytes: [10] };
    const run = await runMultiTurn({ baseUrl, model: "Qwen3-0.6B", workload, timeScale: 0, turnMsMax: 50 });
    expect(run.turns[0].error).toBe("Cannot get a chat answer: no complete answer within 50 ms");
  });

  it("ends when its signal says so", async () => {
    const { baseUrl } = await start({ timeScale: 1 });
    const abort = new AbortController();
    const run = runMultiTurn({ baseUrl, model: "Qwen3-0.6B", workload: small, timeScale: 1, signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(run).rejects.toThrow();
  });
});

describe("percentiles", () => {
  it("are number floor(n*p) of the sorted values", () => {
    const values = Array.from({ length: 110 }, (_, i) => 110 - i);
    expect(percentiles(values)).toEqual({ p50: 56, p95: 105, p99: 109 });
    expect(percentiles([])).toEqual({ p50: 0, p95: 0, p99: 0 });
  });
});

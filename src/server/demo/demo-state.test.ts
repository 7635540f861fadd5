import { describe, expect, it } from "vitest";
import type { DecisionView } from "../../observability/decision-view.ts";
import { DemoState } from "./demo-state.ts";
import type { DemoResult, DemoSetup, FleetResult, PodSample } from "./demo-types.ts";

const setup: DemoSetup = {
  model: "m",
  gpu: "g",
  podsPerFleet: 1,
  conversations: 1,
  turns: 2,
  workers: 1,
  requests: 2,
  timeScale: 0.5,
  seed: 1,
  via: "gateway",
  refreshMetricsIntervalMs: 50,
};
const pod = (hitsTokens: number, queriesTokens: number): PodSample => ({
  pod: "pod-0",
  waiting: 0,
  running: 1,
  kvUsage: 0.5,
  queriesTokens,
  hitsTokens,
  requests: 1,
});
const decision = (sequence: number): DecisionView => ({
  sequence,
  requestId: `c0-t${sequence}`,
  inputTokens: 1,
  picked: ["default/pod-0"],
  refusal: undefined,
  scorers: [],
  candidates: [],
});
const fleet: FleetResult = {
  hitRate: 0.75,
  ttftMs: { p50: 1, p95: 2, p99: 3 },
  failed: 0,
  outputTokens: 5,
  wallSeconds: 1,
  pickerCpuMs: 1,
  pods: [],
};
const result: DemoResult = {
  random: fleet,
  warmpath: { ...fleet, hitRate: 0.875 },
  requests: 2,
  pickerMs: { random: { p50: 1, p95: 1, p99: 1 }, warmpath: { p50: 2, p95: 2, p99: 2 } },
  timeScale: 0.5,
  seed: 1,
  via: "gateway",
  model: "m",
  gpu: "g",
  wallSeconds: 3,
};

function started(): { state: DemoState; clock: { ms: number } } {
  const clock = { ms: 1000 };
  const state = new DemoState(() => clock.ms);
  state.take({ type: "started", setup });
  return { state, clock };
}

describe("the demo's state", () => {
  it("starts with nothing, then runs, then ends with the result's own figures", () => {
    const clock = { ms: 0 };
    const state = new DemoState(() => clock.ms);
    expect(state.view()).toMatchObject({ phase: "starting", elapsedSeconds: 0, setup: undefined });
    state.take({ type: "started", setup });
    clock.ms = 2000;
    expect(state.view()).toMatchObject({ phase: "running", elapsedSeconds: 2, setup });
    state.take({ type: "sample", fleet: "warmpath", pods: [pod(1, 10)] });
    state.take({ type: "ended", result });
    clock.ms = 9000;
    const { phase, elapsedSeconds, fleets } = state.view();
    expect([phase, elapsedSeconds, fleets.warmpath.hitRate, fleets.random.hitRate]).toEqual(["ended", 2, 0.875, 0.75]);
    expect(fleets.random.ttftMs).toEqual(fleet.ttftMs);
    expect(fleets.warmpath.pickerMs).toEqual(result.pickerMs.warmpath);
  });

  it("counts turns, failed ones apart, and gives percentiles of those that were answered", () => {
    const { state } = started();
    const turn = { type: "turn", fleet: "random", pickerMs: 1 } as const;
    for (let done = 1; done <= 100; done++) state.take({ ...turn, done, failed: false, ttftMs: done });
    state.take({ ...turn, done: 101, failed: true, ttftMs: 0 });
    const { random, warmpath } = state.view().fleets;
    expect([random.done, random.failed, warmpath.done]).toEqual([101, 1, 0]);
    // The playbook's rule: number floor(n*p) of the sorted list, counted from 0.
    expect(random.ttftMs).toEqual({ p50: 51, p95: 96, p99: 100 });
  });

  it("gives each tick what is new, and a page that opens late everything", () => {
    const { state, clock } = started();
    state.take({ type: "sample", fleet: "random", pods: [pod(1, 2)] });
    state.take({ type: "decision", fleet: "random", decision: decision(0) });
    expect(state.tick()).toMatchObject({ points: [{ atSeconds: 0, hitRates: { random: 0.5, warmpath: 0 } }] });
    clock.ms += 500;
    state.take({ type: "sample", fleet: "warmpath", pods: [pod(3, 4)] });
    state.take({ type: "decision", fleet: "warmpath", decision: decision(1) });
    const tick = state.tick();
    expect(tick.points).toEqual([{ atSeconds: 0.5, hitRates: { random: 0.5, warmpath: 0.75 } }]);
    expect(tick.decisions.map(({ fleet, sequence }) => [fleet, sequence])).toEqual([["warmpath", 1]]);
    expect(state.tick()).toMatchObject({ points: [], decisions: [] });
    expect(state.view().points).toHaveLength(2);
    expect(state.view().decisions).toHaveLength(2);
  });

  it("stays small, however long the run", () => {
    const { state, clock } = started();
    for (let i = 0; i < 5000; i++) {
      clock.ms += 300;
      state.take({ type: "sample", fleet: "random", pods: [pod(i, 5000)] });
      state.take({ type: "decision", fleet: "random", decision: decision(i) });
    }
    const { points, decisions } = state.view();
    expect(points.length).toBeLessThanOrEqual(600);
    expect(points.at(-1)!.atSeconds).toBeCloseTo(1500, 0);
    expect(decisions).toHaveLength(64);
    const tick = state.tick();
    expect([tick.points.length, tick.decisions.length]).toEqual([600, 64]);
  });
});

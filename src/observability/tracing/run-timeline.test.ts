import { describe, expect, it } from "vitest";
import type { ProbePoint } from "../../core/env.ts";
import type { Notice } from "../../core/notices.ts";
import { RunTimeline } from "./run-timeline.ts";

/** A timeline on a clock that goes on by one with each look. */
function timeline({ wanted = true } = {}) {
  let nowMs = 0;
  const made = new RunTimeline(() => nowMs++);
  if (wanted) made.want();
  const call = (point: ProbePoint, plugin = "p"): void => {
    made.probe(point, plugin, "begin");
    made.probe(point, plugin, "end");
  };
  const run = (): void => {
    for (const point of ["ProfilePicker", "Filter", "Scorer", "Picker", "ProcessProfilesResults"] as const) call(point);
  };
  const decided = (sequence: number, runs = 1): void =>
    made.observe({ type: "decision", decision: { sequence, record: () => ({ runs }) } } as unknown as Notice);
  return { made, call, run, decided };
}

describe("RunTimeline", () => {
  it("gives a decision the calls of its run, from the profile handler's first word to its last", () => {
    const { made, call, run, decided } = timeline();
    call("DataProducer");
    run();
    call("PreRequest");
    decided(7);
    expect(made.of(7).map(({ point, beginMs, endMs }) => [point, beginMs, endMs])).toEqual([
      ["ProfilePicker", 2, 3],
      ["Filter", 4, 5],
      ["Scorer", 6, 7],
      ["Picker", 8, 9],
      ["ProcessProfilesResults", 10, 11],
    ]);
    expect(made.of(6)).toEqual([]);
  });

  it("gives nobody the calls of a step that decided several requests", () => {
    const { made, run, decided } = timeline();
    for (let i = 0; i < 5; i++) run();
    for (const sequence of [0, 1, 2, 3, 4]) {
      decided(sequence);
      expect(made.of(sequence)).toEqual([]);
    }
    run();
    decided(5);
    expect(made.of(5)).toHaveLength(5);
  });

  it("forgets a decision's run with the next decision, and one without a run has none", () => {
    const { made, run, decided } = timeline();
    run();
    decided(0);
    decided(1, 0);
    expect(made.of(0)).toEqual([]);
    expect(made.of(1)).toEqual([]);
  });

  it("keeps nothing of a run with more calls than the limit", () => {
    const { made, call, decided } = timeline();
    call("ProfilePicker");
    for (let i = 0; i < 2000; i++) call("Scorer");
    call("ProcessProfilesResults");
    decided(0);
    expect(made.of(0)).toEqual([]);
  });

  it("looks at no clock while nobody wants to know", () => {
    const { made, run, decided } = timeline({ wanted: false });
    run();
    decided(0);
    expect(made.of(0)).toEqual([]);
    made.want();
    run();
    decided(1);
    expect(made.of(1)[0].beginMs).toBe(0);
    made.leave();
    run();
    decided(2);
    expect(made.of(2)).toEqual([]);
  });

  it("gives a run none of the calls of one that broke off, within a call or between two", () => {
    const { made, call, run, decided } = timeline();
    call("ProfilePicker");
    made.probe("Filter", "throws", "begin");
    call("DataProducer");
    run();
    decided(1);
    expect(made.of(1)).toHaveLength(5);
    call("ProfilePicker");
    call("Picker");
    decided(2, 0);
    run();
    decided(3);
    expect(made.of(3)).toHaveLength(5);
  });
});

import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import type { Core } from "../core/core.ts";
import type { ProbePoint } from "../core/env.ts";
import type { Notice } from "../core/notices.ts";
import { createSchedulerMetrics } from "./scheduler-metrics.ts";

function setUp() {
  const registry = new Registry();
  let now = 0;
  const metrics = createSchedulerMetrics(
    registry,
    () => now,
    (name) => ({ name, type: name }),
  );
  const begin = (point: ProbePoint): void => metrics.probe(point, "p", "begin");
  const call = (point: ProbePoint): void => {
    begin(point);
    now += 1;
    metrics.probe(point, "p", "end");
  };
  const run = (): void => {
    for (const point of ["ProfilePicker", "Filter", "ProfilePicker", "ProcessProfilesResults"] as const) call(point);
  };
  const wait = (seconds: number): void => void (now += seconds);
  /** A decision on a request that was refused. */
  const refused = (): void => {
    const decision = { facts: {}, record: () => undefined };
    metrics.observe({ type: "decision", decision } as unknown as Notice, {} as Core);
  };
  const sum = async () =>
    (await registry.metrics())
      .split("\n")
      .filter((line) => line.startsWith("llm_d_epp_scheduler_e2e_duration_seconds_sum"));
  return { begin, call, run, wait, refused, sum };
}

describe("the scheduler's time", () => {
  it("goes from the profile handler's first word to its last", async () => {
    const { run, wait, sum } = setUp();
    run();
    wait(1000);
    run();
    expect(await sum()).toEqual(["llm_d_epp_scheduler_e2e_duration_seconds_sum 8"]);
  });

  it("does not count from a run in which a plugin threw", async () => {
    const { begin, call, run, wait, sum } = setUp();
    call("ProfilePicker");
    begin("Filter");
    wait(1000);
    run();
    expect(await sum()).toEqual(["llm_d_epp_scheduler_e2e_duration_seconds_sum 4"]);
  });

  it("does not count from a run that broke off between two calls", async () => {
    const { call, run, wait, refused, sum } = setUp();
    call("ProfilePicker");
    call("Filter");
    refused();
    wait(1000);
    run();
    expect(await sum()).toEqual(["llm_d_epp_scheduler_e2e_duration_seconds_sum 4"]);
  });
});

import { describe, expect, it } from "vitest";
import type { Admission } from "./admission.ts";
import type { CoreEvent } from "./events.ts";
import type { Notice } from "./notices.ts";
import type { PluginInstance } from "./plugin.ts";
import { endpoint, facts, testCompiler, testCore } from "./test-support/test-plan.ts";

const load = (text: string, atUs = 0): CoreEvent => ({ type: "configLoaded", atUs, source: { text, options: {} } });
const upsert = (name: string, address?: string): CoreEvent => ({
  type: "endpointUpserted",
  atUs: 0,
  endpoint: endpoint(name, address),
});
const arrive = (key: number, atUs = 0): CoreEvent => ({ type: "requestArrived", atUs, facts: facts(key) });
const end = (key: number): CoreEvent => ({ type: "requestEnded", atUs: 0, key, cause: "natural" });
const picks = (notices: readonly Notice[]) =>
  notices.flatMap((notice) =>
    notice.type === "decision" ? [`${notice.decision.facts.key} ${notice.decision.outcome.kind}`] : [],
  );

/** Admissions that queue everything, by the order of their plans; each lets go what its gate says. */
function queueing() {
  const made: { queue: number[]; open: boolean }[] = [];
  const admission = (): Admission => {
    const own = { queue: [] as number[], open: false };
    made.push(own);
    return {
      admit: (request) => (own.queue.push(request.facts.key), "queued"),
      dispatch: () => (own.open ? own.queue.splice(0).map((key) => ({ key, verdict: "admitted" as const })) : []),
      cancel: (key) => void own.queue.splice(own.queue.indexOf(key), 1),
    };
  };
  return { made, admission };
}

describe("a config that is loaded while requests are under way", () => {
  it("loses no queued request: they queue again, in their order, at the new admission", () => {
    const { made, admission } = queueing();
    const { step } = testCore({ admission });
    step(upsert("a"));
    for (const key of [3, 1, 2]) step(arrive(key));
    expect(picks(step(load("another")))).toEqual([]);
    expect(made.map(({ queue }) => queue)).toEqual([[], [3, 1, 2]]);
    made[1].open = true;
    expect(picks(step({ type: "timePassed", atUs: 1 }))).toEqual(["3 picked", "1 picked", "2 picked"]);
  });

  it("lets them finish by the plan that they began with, which hears of endpoints until the last has ended", () => {
    const told: string[] = [];
    const plugin = (name: string): PluginInstance => ({
      endpointAdded: (slot) => void told.push(`${name} added ${slot}`),
      endpointRemoved: (slot) => void told.push(`${name} removed ${slot}`),
      requestEnded: (request) => void told.push(`${name} ended ${request.facts.key}`),
    });
    let made = 0;
    const { step } = testCore({ compile: testCompiler(() => [plugin(`plan-${made++}`)]) });
    step(upsert("a", "10.0.0.1"));
    step(arrive(0));
    step(load("another"));
    step(upsert("b", "10.0.0.2"));
    step({ type: "endpointRemoved", atUs: 0, id: "default/a" });
    step(end(0));
    step({ type: "endpointRemoved", atUs: 0, id: "default/b" });
    expect(told).toEqual([
      "plan-0 added 0",
      "plan-1 added 0",
      "plan-1 added 1",
      "plan-0 added 1",
      "plan-1 removed 0",
      "plan-0 removed 0",
      "plan-0 ended 0",
      "plan-1 removed 1",
    ]);
  });
});

describe("a config that can't be used", () => {
  it("changes nothing: not the plan, not the time, and no deadline passes", () => {
    const parking: PluginInstance = { produce: () => ({ kind: "x", payload: null, timeoutUs: 10 }) };
    const good = testCompiler(() => [parking]);
    const { step, core, notices } = testCore({
      compile(source, context) {
        if (source.text === "bad") throw new Error("Cannot use config");
        return good(source, context);
      },
    });
    step(upsert("a"));
    step(arrive(0));
    const { plan } = core;
    const said = notices.length;
    expect(() => step(load("bad", 1000))).toThrow("Cannot use config");
    expect(core.plan).toBe(plan);
    expect(core.nowUs).toBe(0);
    expect(notices).toHaveLength(said);
    expect(picks(step({ type: "timePassed", atUs: 1000 }))).toEqual(["0 picked"]);
  });
});

describe("an admission", () => {
  it("that lets a request go twice, or one that it does not hold, changes nothing by it", () => {
    let verdicts: { key: number; verdict: "admitted" }[] = [];
    const { step, core } = testCore({
      admission: () => ({
        admit: (request) => (request.facts.key === 0 ? "queued" : "admitted"),
        dispatch: () => verdicts,
      }),
    });
    step(upsert("a"));
    step(arrive(0));
    step(arrive(1));
    verdicts = [0, 0, 1, 7].map((key) => ({ key, verdict: "admitted" }));
    expect(picks(step({ type: "timePassed", atUs: 1 }))).toEqual(["0 picked"]);
    for (const key of [0, 1]) step(end(key));
    expect(core.endpoints.column("test-inflight").values[0]).toBe(0);
  });
});

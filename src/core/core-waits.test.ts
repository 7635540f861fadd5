import { describe, expect, it } from "vitest";
import type { CoreEvent } from "./events.ts";
import type { Notice } from "./notices.ts";
import type { PluginInstance } from "./plugin.ts";
import { endpoint, facts, testCompiler, testCore } from "./test-support/test-plan.ts";

const arrive = (key: number, atUs: number): CoreEvent => ({ type: "requestArrived", atUs, facts: facts(key) });
const passed = (atUs: number): CoreEvent => ({ type: "timePassed", atUs });
const decided = (notices: readonly Notice[]): number[] =>
  notices.flatMap((notice) => (notice.type === "decision" ? [notice.decision.facts.key] : []));

/** A core whose requests wait for the next full hundred microseconds, with the answers that they got. */
function scene(plugin?: PluginInstance) {
  const resumed: [number, unknown][] = [];
  const waiting: PluginInstance = {
    produce: ({ nowUs }) => ({ untilUs: Math.floor(nowUs / 100) * 100 + 100 }),
    resume(request, answer) {
      resumed.push([request.facts.key, answer]);
      return undefined;
    },
  };
  const t = testCore({ compile: testCompiler(() => [plugin ?? waiting]) });
  t.step({ type: "endpointUpserted", atUs: 0, endpoint: endpoint("a") });
  return { ...t, resumed };
}

describe("a producer that waits", () => {
  it("parks its requests until the time has come: together, in their order, without a word to the driver", () => {
    const { core, step, resumed } = scene();
    expect(step(arrive(5, 10))).toEqual([]);
    expect(step(arrive(3, 20))).toEqual([]);
    expect(step(arrive(4, 90))).toEqual([]);
    expect(core.nextDueAtUs()).toBe(100);
    expect(step(passed(99))).toEqual([]);
    const notices = step(passed(100));
    expect(decided(notices)).toEqual([5, 3, 4]);
    expect(new Set(notices.map(({ type }) => type))).toEqual(new Set(["decision"]));
    expect(resumed).toEqual([5, 3, 4].map((key) => [key, null]));
    expect(core.nextDueAtUs()).toBeUndefined();
  });

  it("goes on with the first event that comes late, before that event", () => {
    const { step } = scene();
    step(arrive(0, 10));
    expect(decided(step(arrive(1, 250)))).toEqual([0]);
    expect(decided(step(passed(1000)))).toEqual([1]);
  });

  it("hears no answer: a wait is nobody's to end", () => {
    const { step, resumed } = scene();
    step(arrive(0, 10));
    for (const type of ["askAnswered", "askFailed"] as const) {
      const event = { type, atUs: 20, ask: 0, value: 7, cause: "no" } as CoreEvent;
      expect(step(event)).toEqual([{ type: "answerIgnored", ask: 0 }]);
    }
    expect(resumed).toEqual([]);
    expect(decided(step(passed(100)))).toEqual([0]);
  });

  it("leaves nothing of a request that ends meanwhile", () => {
    const { core, step, resumed } = scene();
    step(arrive(0, 10));
    step(arrive(1, 10));
    expect(step({ type: "requestEnded", atUs: 20, key: 0, cause: "client-disconnect" })).toEqual([]);
    expect(core.requestCount).toBe(1);
    expect(decided(step(passed(100)))).toEqual([1]);
    expect(resumed).toEqual([[1, null]]);
  });

  it("may wait again, and ask after it waited", () => {
    let round = 0;
    const { core, step } = scene({
      produce: () => ({ untilUs: 100 }),
      resume: () => (round++ === 0 ? { untilUs: 200 } : round === 2 ? { kind: "x", payload: null } : undefined),
    });
    step(arrive(0, 10));
    expect(step(passed(100))).toEqual([]);
    expect(core.nextDueAtUs()).toBe(200);
    expect(step(passed(200))).toMatchObject([{ type: "ask", ask: { kind: "x", dueAtUs: 400_200 } }]);
    expect(step({ type: "askAnswered", atUs: 300, ask: 2, value: 1 }).map(({ type }) => type)).toEqual([
      "askOver",
      "decision",
    ]);
  });

  it("goes on at the next step when its time is over already", () => {
    const { core, step } = scene({ produce: () => ({ untilUs: 5 }), resume: () => undefined });
    expect(step(arrive(0, 10))).toEqual([]);
    expect(core.nextDueAtUs()).toBe(5);
    expect(decided(step(passed(10)))).toEqual([0]);
  });
});

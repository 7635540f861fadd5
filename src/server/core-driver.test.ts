import { describe, expect, it } from "vitest";
import { DEFAULT_CORE_LIMITS } from "../core/core-limits.ts";
import type { Decision } from "../core/decision.ts";
import { eventLine, headerLine, endLine } from "../core/event-log.ts";
import type { Notice } from "../core/notices.ts";
import type { PluginInstance } from "../core/plugin.ts";
import { Replay } from "../core/replay.ts";
import { endpoint, facts, testCompiler } from "../core/test-support/test-plan.ts";
import { CoreDriver } from "./core-driver.ts";

const start = performance.now();
const nowUs = () => Math.floor((performance.now() - start) * 1000);

function setUp(extra: PluginInstance[] = [], more = {}) {
  const lines = [headerLine(3, DEFAULT_CORE_LIMITS)];
  const compile = testCompiler(() => extra);
  const driver = new CoreDriver({
    compile,
    seed: 3,
    nowUs,
    record: (event, number) => lines.push(eventLine(event, number)),
    ...more,
  });
  driver.load({ text: "", options: {} });
  return { driver, lines, compile };
}

const picked = (decision: Decision) =>
  decision.outcome.kind === "picked" ? decision.outcome.endpointIds[0] : decision.outcome.rejection.message;

describe("a core driver", () => {
  it("numbers requests and hands each decision to its requester", () => {
    const { driver } = setUp();
    driver.upsert(endpoint("a"));
    const got: string[] = [];
    const keys = [1, 2].map((n) =>
      driver.arrive(facts(99), { decided: (d) => got.push(`${n} ${d.facts.key} ${picked(d)}`) }),
    );
    expect(keys).toEqual([0, 1]);
    expect(got).toEqual(["1 0 default/a", "2 1 default/a"]);
  });

  it("keeps a parked request's deadline by itself", async () => {
    const { driver } = setUp([{ produce: () => ({ kind: "slow", payload: null, timeoutUs: 5000 }) }], {
      ask: () => new Promise(() => {}),
    });
    driver.upsert(endpoint("a"));
    const decision = await new Promise<Decision>((decided) => driver.arrive(facts(0), { decided }));
    expect(picked(decision)).toBe("default/a");
  });

  it("gives the answer to an ask, or its failure, back as an event", async () => {
    const asking: PluginInstance = {
      produce: (request) => ({ kind: request.facts.model, payload: 7 }),
      resume(request, answer) {
        request.setHeader("x-answer", JSON.stringify(answer));
        return undefined;
      },
    };
    const ask = (a: { kind: string; payload: unknown }) =>
      a.kind === "good" ? Promise.resolve([a.payload] as never) : Promise.reject(new Error("no"));
    const { driver } = setUp([asking], { ask });
    driver.upsert(endpoint("a"));
    const decide = (model: string) =>
      new Promise<Decision>((decided) => driver.arrive(facts(0, { model }), { decided }));
    expect((await decide("good")).headers.get("x-answer")).toBe("[7]");
    expect((await decide("bad")).headers.get("x-answer")).toBe("null");
  });

  it("answers an ask for block ids from the requester's prompt, in the same turn", () => {
    const asking: PluginInstance = {
      produce: () => ({ kind: "blockIds", payload: { blockSizeTokens: 128 } }),
      resume(request, answer) {
        request.setHeader("x-answer", JSON.stringify(answer));
        return undefined;
      },
    };
    const { driver } = setUp([asking]);
    driver.upsert(endpoint("a"));
    const headers: unknown[] = [];
    const blocks = (blockSizeTokens: number) => ({
      blockSizeTokens,
      prompts: [{ tokens: 1, ids: Uint32Array.of(1, 2) }],
    });
    driver.arrive(facts(0), { decided: (d) => headers.push(d.headers.get("x-answer")), blocks });
    driver.arrive(facts(0), { decided: (d) => headers.push(d.headers.get("x-answer")) });
    expect(headers).toEqual(['{"prompts":[{"tokens":1,"ids":{"0":1,"1":2}}]}', "null"]);
  });

  it("drains the mailbox before a step, with each scrape's own time, and holds one row a slot", () => {
    const { driver } = setUp();
    const place = driver.upsert(endpoint("a"))!;
    for (let i = 1; i <= 1000; i++) driver.scraped({ ...place, waiting: i });
    driver.scraped({ ...place, running: 5 });
    expect(driver.core.endpoints.waiting[place.slot]).toBe(0);
    const before = driver.eventCount;
    driver.arrive(facts(0), { decided: () => undefined });
    expect(driver.eventCount).toBe(before + 2);
    expect(driver.core.endpoints.waiting[place.slot]).toBe(1000);
    expect(driver.core.endpoints.running[place.slot]).toBe(5);
  });

  it("lets a requester end its request, or bring another one, from within its decision", () => {
    const { driver } = setUp();
    driver.upsert(endpoint("a"));
    const order: string[] = [];
    driver.observe((notice: Notice) => order.push(notice.type));
    driver.arrive(facts(0), {
      decided: (d) => {
        driver.ended(d.facts.key, "error");
        driver.arrive(facts(0), { decided: (next) => driver.ended(next.facts.key, "natural") });
      },
    });
    expect(order).toEqual(["decision", "requestReleased", "decision", "requestReleased"]);
    expect(driver.core.requestCount).toBe(0);
    expect(driver.requesterCount).toBe(0);
  });

  it("keeps nothing of a rejected request", () => {
    const { driver } = setUp();
    driver.arrive(facts(0), { decided: () => undefined });
    expect(driver.requesterCount).toBe(0);
    expect(driver.core.requestCount).toBe(0);
  });

  it("records a run that replays to the same hash, and a dropped event is seen", () => {
    const { driver, lines, compile } = setUp();
    const place = driver.upsert(endpoint("a", "10.0.0.1"))!;
    driver.upsert(endpoint("b", "10.0.0.2"));
    for (let i = 0; i < 20; i++) {
      driver.scraped({ ...place, waiting: i });
      driver.arrive(facts(0), { decided: () => undefined });
      if (i % 3 === 0) driver.ended(i, "natural");
    }
    lines.push(endLine({ events: driver.eventCount, decisions: 20, hash: driver.core.decisionHash }));
    const replayed = (kept: readonly string[]) => {
      const replay = new Replay({ compile });
      for (const line of kept) replay.push(line);
      return replay.end();
    };
    expect(replayed(lines)).toMatchObject({ same: true, decisions: 20 });
    const dropped = lines.findIndex((line) => line.includes("requestArrived"));
    expect(() => replayed(lines.toSpliced(dropped, 1))).toThrow(/a line is missing/);
    const renumbered = lines.toSpliced(dropped, 1).map((line, i) => line.replace(/^\{"n":\d+/, `{"n":${i - 1}`));
    expect(replayed(renumbered).same).toBe(false);
    expect(replayed(lines.slice(0, -1))).toMatchObject({ same: false });
  });
});

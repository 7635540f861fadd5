import { describe, expect, it, onTestFinished, vi } from "vitest";
import { DEFAULT_CORE_LIMITS } from "../core/core-limits.ts";
import { dataKey } from "../core/data-key.ts";
import type { Decision } from "../core/decision.ts";
import { NEVER } from "../core/endpoints.ts";
import { eventLine, headerLine, endLine } from "../core/event-log.ts";
import type { Notice } from "../core/notices.ts";
import type { CompilePlan } from "../core/plan.ts";
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

const boom = (who: string): never => {
  throw new Error(who);
};
/** What is asked for and never answered. */
const slow = { kind: "slow", payload: null, timeoutUs: 10 };
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

  it("gives what plugins tell the proxy of the ended request, also where an observer ends another one", () => {
    const { driver } = setUp([
      { requestEnded: (request) => request.setResponseMetadata("envoy.lb", "key", request.facts.key) },
    ]);
    driver.upsert(endpoint("a"));
    const [first, second] = [0, 1].map(() => driver.arrive(facts(0), { decided: () => {} }));
    const told: unknown[] = [];
    driver.observe((notice) => {
      if (notice.type === "requestReleased" && notice.request === first) told.push(driver.ended(second, "natural"));
    });
    expect(driver.ended(first, "natural")).toEqual(new Map([["envoy.lb", new Map([["key", first]])]]));
    expect(told).toEqual([new Map([["envoy.lb", new Map([["key", second]])]])]);
    expect(driver.ended(first, "natural")).toBeUndefined();
  });

  it("decides as ever where a probe throws, and tells of it", () => {
    const failures: string[] = [];
    const { driver } = setUp([{ requestEnded: () => {}, produce: () => undefined }], {
      probe: () => boom("probe"),
      failed: (error: unknown) => failures.push(String(error)),
    });
    driver.upsert(endpoint("a"));
    const got: string[] = [];
    const key = driver.arrive(facts(0), { decided: (decision) => got.push(picked(decision)) });
    driver.ended(key, "natural");
    expect(got).toEqual(["default/a"]);
    expect(driver.core.requestCount).toBe(0);
    expect(new Set(failures)).toEqual(new Set(["Error: probe"]));
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

  it("takes no scrape of an endpoint that was replaced, nor loses the new one's by it", () => {
    const { driver, lines } = setUp();
    const old = driver.upsert(endpoint("a", "10.0.0.1"))!;
    const place = driver.upsert(endpoint("a", "10.0.0.2"))!;
    expect(place).toEqual({ slot: old.slot, generation: old.generation + 1 });
    driver.scraped({ ...place, waiting: 3 });
    driver.scraped({ ...old, waiting: 50 });
    driver.scraped({ slot: 99, generation: 1, waiting: 50 });
    driver.drain();
    expect(driver.core.endpoints.waiting[place.slot]).toBe(3);
    expect(lines.join()).not.toContain('"waiting":50');
  });

  it("adds up what several scrapes of one endpoint brought", () => {
    const { driver } = setUp();
    const place = driver.upsert(endpoint("a"))!;
    const lora = { active: ["x"], waiting: [], max: 4 };
    driver.scraped({ ...place, waiting: 1, attributes: { one: 1, both: 1 }, lora });
    driver.scraped({
      ...place,
      running: 2,
      attributes: { two: 2, both: 2 },
      lora: { ...lora, active: ["y"], max: -1 },
    });
    driver.drain();
    const { endpoints } = driver.core;
    const { slot } = place;
    expect([endpoints.waiting[slot], endpoints.running[slot]]).toEqual([1, 2]);
    expect(["one", "two", "both"].map((name) => endpoints.column(name).values[slot])).toEqual([1, 2, 2]);
    expect(endpoints.lora[slot]).toEqual({ active: ["y"], waiting: [], max: 4 });
  });

  it("keeps a deadline that is further off than a timer can be, without waking up before", () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const days = 60;
    const timeoutUs = days * 86_400e6;
    const { driver } = setUp([{ produce: () => ({ kind: "slow", payload: null, timeoutUs }) }], {
      nowUs: () => Date.now() * 1000,
      ask: () => new Promise(() => {}),
    });
    driver.upsert(endpoint("a"));
    const got: string[] = [];
    driver.arrive(facts(0), { decided: (decision) => got.push(picked(decision)) });
    const before = driver.eventCount;
    vi.advanceTimersByTime(60_000);
    expect(driver.eventCount).toBe(before);
    vi.advanceTimersByTime((days - 1) * 86_400e3);
    expect(driver.eventCount - before).toBeLessThanOrEqual(days / 24);
    expect(got).toEqual([]);
    vi.advanceTimersByTime(86_400e3);
    expect(got).toEqual(["default/a"]);
  });

  it("lets a requester, an observer or a recorder that throws keep nothing from others", () => {
    const failures: unknown[] = [];
    const asking: PluginInstance = { produce: () => ({ kind: "blockIds", payload: { blockSizeTokens: 1 } }) };
    const { driver } = setUp([asking], {
      failed: (error: Error) => failures.push(error.message),
      record: () => boom("recorder"),
    });
    driver.upsert(endpoint("a"));
    driver.observe(() => boom("observer"));
    const got: string[] = [];
    driver.arrive(facts(0), { decided: () => boom("requester"), blocks: () => boom("blocks") });
    driver.arrive(facts(0), { decided: (decision) => got.push(picked(decision)) });
    expect(got).toEqual(["default/a"]);
    for (const who of ["recorder", "observer", "requester", "blocks"]) expect(failures).toContain(who);
    // Whoever threw can't be trusted to tell the end.
    expect(driver.core.requestCount).toBe(1);
    expect(driver.requesterCount).toBe(1);
    driver.ended(1, "natural");
    expect(driver.core.endpoints.column("test-inflight").values[0]).toBe(0);
  });

  it("takes an ask that throws at once for one that failed", async () => {
    const asking: PluginInstance = { produce: () => ({ kind: "io", payload: null }) };
    const { driver } = setUp([asking], { ask: () => boom("no") });
    driver.upsert(endpoint("a"));
    const decision = await new Promise<Decision>((decided) => driver.arrive(facts(0), { decided }));
    expect(picked(decision)).toBe("default/a");
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

  it("hands decisions on in the order in which they were made, also those that a requester brought about", () => {
    let atUs = 0;
    const { driver } = setUp([{ produce: ({ facts: { model } }) => (model === "m" ? slow : undefined) }], {
      nowUs: () => atUs,
      ask: () => new Promise(() => {}),
    });
    driver.upsert(endpoint("a"));
    const order: number[] = [];
    const note = (decision: Decision): void => void order.push(decision.facts.key);
    driver.arrive(facts(0), {
      decided(decision) {
        note(decision);
        driver.arrive(facts(0, { model: "another" }), { decided: note });
      },
    });
    driver.arrive(facts(0), { decided: note });
    atUs = 10;
    // Both are due in this step.
    driver.remove("nobody");
    expect(order).toEqual([0, 1, 2]);
  });

  it("tells each scrape's own time, and never one before the core's", () => {
    let atUs = 5;
    const { driver } = setUp([], { nowUs: () => atUs });
    const place = driver.upsert(endpoint("a"))!;
    driver.scraped({ ...place, waiting: 1 });
    atUs = 9;
    driver.drain();
    expect(driver.core.endpoints.updatedAtUs[place.slot]).toBe(5);
    atUs = 2;
    expect(driver.nowUs).toBe(9);
  });

  it("leaves the signals' time alone where a row comes from elsewhere, before, after or between scrapes", () => {
    let atUs = 1;
    const { driver } = setUp([], { nowUs: () => atUs });
    const place = driver.upsert(endpoint("a"))!;
    const { endpoints } = driver.core;
    const scrape = (time: number, row: object) => {
      atUs = time;
      driver.scraped({ ...place, ...row });
    };
    const gpu = (value: number) => ({ attributes: { gpu: value }, aside: true });
    const state = () => {
      driver.drain();
      return [endpoints.updatedAtUs[0], endpoints.waiting[0], endpoints.column("gpu").values[0]];
    };
    scrape(2, gpu(1));
    expect(state()).toEqual([NEVER, 0, 1]);
    scrape(3, { waiting: 5 });
    scrape(4, gpu(2));
    expect(state()).toEqual([3, 5, 2]);
    scrape(5, gpu(3));
    scrape(6, gpu(4));
    scrape(7, { waiting: 6 });
    expect(state()).toEqual([7, 6, 4]);
    scrape(8, gpu(5));
    scrape(9, gpu(6));
    expect(state()).toEqual([7, 6, 6]);
  });

  it("tells values that are no numbers when they change, and not at each scrape", () => {
    const key = dataKey<readonly string[]>("models", "x");
    const compile = testCompiler(({ endpoints }) => [
      {
        score(_request, { slots, count }, out) {
          const { values } = endpoints.attribute(key);
          for (let i = 0; i < count; i++) out[i] = values[slots[i]]?.includes("o") ? 1 : 0;
        },
      },
    ]);
    const { driver, lines } = setUp([], { compile });
    driver.upsert(endpoint("b", "10.0.0.2"));
    const place = driver.upsert(endpoint("a"))!;
    const tell = (...models: string[]) => driver.scraped({ ...place, values: { [key.id]: models }, aside: true });
    const events = () => lines.filter((line) => line.includes('"signals"')).length;
    const known = () => {
      driver.drain();
      return driver.core.endpoints.attribute(key).values[place.slot];
    };
    tell("m");
    expect([known(), events()]).toEqual([["m"], 1]);
    tell("m");
    expect([known(), events()]).toEqual([["m"], 1]);
    tell("m", "n");
    tell("m");
    expect([known(), events()]).toEqual([["m"], 2]);
    driver.scraped({ ...place, waiting: 3, values: { [key.id]: ["m"] } });
    expect([known(), driver.core.endpoints.waiting[place.slot], events()]).toEqual([["m"], 3, 3]);
    expect(lines.at(-1)).not.toContain("values");
    tell("o");
    const got: string[] = [];
    driver.arrive(facts(0), { decided: (decision) => void got.push(picked(decision)) });
    expect([got, known()]).toEqual([["default/a"], ["o"]]);
    lines.push(endLine({ events: driver.eventCount, decisions: 1, hash: driver.core.decisionHash }));
    const replay = new Replay({ compile });
    for (const line of lines) replay.push(line);
    expect(replay.end().same).toBe(true);
  });

  it("wakes up for no deadline that is over, nor for any once it is closed", () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { driver } = setUp([{ produce: () => slow }], {
      nowUs: () => Date.now() * 1000,
      ask: () => new Promise(() => {}),
    });
    driver.upsert(endpoint("a"));
    const keys = [0, 1].map(() => driver.arrive(facts(0), { decided: () => undefined }));
    expect(vi.getTimerCount()).toBe(1);
    for (const key of keys) driver.ended(key, "natural");
    expect(vi.getTimerCount()).toBe(0);
    const last = driver.arrive(facts(0), { decided: () => undefined });
    driver.close();
    driver.ended(last, "natural");
    driver.arrive(facts(0), { decided: () => undefined });
    expect(vi.getTimerCount()).toBe(0);
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

  it("records a run that replays to the same hash with a config in it that could not be used", () => {
    let atUs = 0;
    const lines = [headerLine(3, DEFAULT_CORE_LIMITS)];
    const good = testCompiler(({ endpoints }) => [
      { produce: () => ({ kind: "slow", payload: null, timeoutUs: 10 }) },
      { score: ({ nowUs }, { slots }, out) => void out.fill((nowUs + endpoints.generation[slots[0]]) / 1000) },
    ]);
    const compile: CompilePlan = (source, context) => (source.text === "bad" ? boom("bad") : good(source, context));
    const driver = new CoreDriver({
      compile,
      seed: 3,
      nowUs: () => atUs,
      record: (event, number) => lines.push(eventLine(event, number)),
      ask: () => new Promise(() => {}),
    });
    driver.load({ text: "", options: {} });
    driver.upsert(endpoint("a"));
    driver.arrive(facts(0), { decided: () => undefined });
    atUs = 20;
    expect(() => driver.load({ text: "bad", options: {} })).toThrow("bad");
    atUs = 30;
    driver.remove("nobody");
    lines.push(endLine({ events: driver.eventCount, decisions: 1, hash: driver.core.decisionHash }));
    const replay = new Replay({ compile });
    for (const line of lines) replay.push(line);
    expect(replay.end()).toMatchObject({ same: true, decisions: 1 });
  });
});

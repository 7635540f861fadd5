import { describe, expect, it } from "vitest";
import type { Admission } from "./admission.ts";
import type { CoreEvent } from "./events.ts";
import type { PluginInstance } from "./plugin.ts";
import { endpoint, facts, testCompiler, testCore } from "./test-support/test-plan.ts";

const upsert = (name: string, atUs = 0): CoreEvent => ({ type: "endpointUpserted", atUs, endpoint: endpoint(name) });
const arrive = (key: number, atUs = 0): CoreEvent => ({ type: "requestArrived", atUs, facts: facts(key) });
const end = (key: number, atUs = 0): CoreEvent => ({ type: "requestEnded", atUs, key, cause: "natural" });
const asking = (timeoutUs: number): PluginInstance => ({ produce: () => ({ kind: "x", payload: null, timeoutUs }) });

describe("time", () => {
  it("never goes back, whatever events say", () => {
    const { step, core } = testCore();
    step(upsert("a", 100));
    step({ type: "signals", atUs: 40, rows: [{ slot: 0, generation: 1, waiting: 1 }] });
    expect([core.nowUs, core.endpoints.updatedAtUs[0]]).toEqual([100, 100]);
  });

  it("is what plugins see in every call of a step", () => {
    const times: number[] = [];
    const look = ({ nowUs }: { readonly nowUs: number }) => void times.push(nowUs);
    const looking: PluginInstance = {
      produce: (request) => (look(request), undefined),
      preRequest: look,
      responseStarted: look,
      responseFirstByte: look,
      requestEnded: look,
    };
    const { step } = testCore({ compile: testCompiler(() => [asking(10), looking]) });
    step(upsert("a"));
    step(arrive(0, 1));
    step({ type: "askAnswered", atUs: 2, ask: 0, value: null });
    step({ type: "responseStarted", atUs: 3, key: 0 });
    step({ type: "responseFirstByte", atUs: 4, key: 0 });
    step(end(0, 5));
    expect(times).toEqual([2, 2, 3, 4, 5]);
  });

  it("of a scrape is its own where it has one, and there is none for a slot's next endpoint", () => {
    const { step, core } = testCore();
    step(upsert("a"));
    step({ type: "signals", atUs: 90, rows: [{ slot: 0, generation: 1, atUs: 70, waiting: 1 }] });
    expect(core.endpoints.updatedAtUs[0]).toBe(70);
    step({ type: "endpointRemoved", atUs: 91, id: "default/a" });
    step(upsert("b", 92));
    expect([core.endpoints.slotOf("default/b"), core.endpoints.updatedAtUs[0]]).toEqual([0, -1]);
  });
});

describe("events about a request", () => {
  it("tell plugins what the proxy said of the endpoint that answered", () => {
    const words: unknown[] = [];
    const reading: PluginInstance = {
      preRequest: ({ servedWord: { served, tells } }) => void words.push([served, tells]),
      responseStarted: ({ servedWord: { served, tells } }) => void words.push([served, tells]),
    };
    const { step } = testCore({ compile: testCompiler(() => [reading]) });
    step(upsert("a"));
    step(arrive(0));
    step({ type: "responseStarted", atUs: 1, key: 0, served: "10.0.0.1:8000", tells: true });
    expect(words).toEqual([
      [undefined, undefined],
      ["10.0.0.1:8000", true],
    ]);
  });

  it("that is parked, over or was never there are noted, and change nothing", () => {
    const told: string[] = [];
    const telling: PluginInstance = {
      responseStarted: () => void told.push("started"),
      responseFirstByte: () => void told.push("first byte"),
    };
    const { step, core } = testCore({ compile: testCompiler(() => [asking(10), telling]) });
    step(upsert("a"));
    step(arrive(0));
    const events = (["responseStarted", "responseFirstByte"] as const).map((type) => ({ type, atUs: 0, key: 0 }));
    for (const event of events) {
      expect(step(event)).toEqual([{ type: "requestUnknown", request: 0, event: event.type }]);
    }
    step({ type: "responseStarted", atUs: 0, key: 0, served: core.endpoints.target[0] });
    step(end(0));
    for (const event of events) expect(step(event)).toHaveLength(1);
    expect(step(end(0))).toEqual([]);
    expect(step(end(9))).toEqual([]);
    expect(told).toEqual([]);
  });

  it("with a key that is under way already are refused, and the first one goes on", () => {
    const { step, core } = testCore();
    step(upsert("a"));
    step(arrive(0));
    const refusal = { message: "a request of the same key is under way" };
    expect(step(arrive(0))).toMatchObject([{ decision: { outcome: { rejection: refusal } } }]);
    expect(core.requestCount).toBe(1);
    step(end(0));
    expect(core.endpoints.column("test-inflight").values[0]).toBe(0);
  });

  it("leave no deadline of an ask that was answered, though others are due earlier or later", () => {
    let timeoutUs = 0;
    const { step, core } = testCore({
      compile: testCompiler(() => [{ produce: () => ({ kind: "x", payload: null, timeoutUs }) }]),
    });
    step(upsert("a"));
    for (const [key, timeout] of [10, 20, 30].entries()) {
      timeoutUs = timeout;
      step(arrive(key));
    }
    // Not the first in line, so it is dropped when its turn comes.
    step({ type: "askAnswered", atUs: 1, ask: 1, value: null });
    expect(core.nextDueAtUs()).toBe(10);
    const notices = step({ type: "timePassed", atUs: 25 });
    expect(notices.map(({ type }) => type)).toEqual(["askOver", "decision"]);
    expect(core.nextDueAtUs()).toBe(30);
    step(end(2, 26));
    expect(core.nextDueAtUs()).toBeUndefined();
  });
});

describe("a queued request", () => {
  it("is cancelled at its admission when it ends, and the core is due at the earlier of both clocks", () => {
    const cancelled: number[] = [];
    let dueAtUs: number | undefined;
    const admission = (): Admission => ({
      admit: ({ facts: { key } }) => (key === 0 ? "queued" : "admitted"),
      cancel: (key) => void cancelled.push(key),
      nextDueAtUs: () => dueAtUs,
    });
    const { step, core } = testCore({ admission, compile: testCompiler(() => [asking(50)]) });
    step(upsert("a"));
    step(arrive(0));
    expect(core.nextDueAtUs()).toBeUndefined();
    dueAtUs = 70;
    expect(core.nextDueAtUs()).toBe(70);
    step(arrive(1));
    expect(core.nextDueAtUs()).toBe(50);
    dueAtUs = 30;
    expect(core.nextDueAtUs()).toBe(30);
    step(end(1));
    step(end(0));
    expect(cancelled).toEqual([0]);
    expect(core.requestCount).toBe(0);
  });
});

describe("what plugins tell the proxy with the end of a response", () => {
  const telling: PluginInstance = {
    requestEnded(request, _cause, usage) {
      if (usage) request.setResponseMetadata("envoy.lb", "prompt", usage.promptTokens);
      if (request.facts.key === 1) request.setResponseMetadata("own", "key", 1);
    },
  };

  it("is of the request that the last step ended", () => {
    const { step, core } = testCore({ compile: testCompiler(() => [telling]) });
    step(upsert("a"));
    for (const key of [0, 1, 2]) step(arrive(key));
    expect(core.endMetadata).toBeUndefined();
    const usage = { promptTokens: 7, completionTokens: 1, cachedTokens: -1 };
    step({ type: "requestEnded", atUs: 0, key: 1, cause: "natural", usage });
    expect(core.endMetadata).toEqual(
      new Map([
        ["envoy.lb", new Map([["prompt", 7]])],
        ["own", new Map([["key", 1]])],
      ]),
    );
    step(end(2));
    expect(core.endMetadata).toBeUndefined();
    step({ type: "requestEnded", atUs: 0, key: 0, cause: "natural", usage });
    expect(core.endMetadata).toEqual(new Map([["envoy.lb", new Map([["prompt", 7]])]]));
    step(end(99));
    expect(core.endMetadata).toBeUndefined();
  });
});

describe("an endpoint that changes", () => {
  it("is told to plugins as a change of the one that they know, or as another one when it moved", () => {
    const told: string[] = [];
    const listening: PluginInstance = {
      endpointAdded: (slot) => void told.push(`added ${slot}`),
      endpointChanged: (slot) => void told.push(`changed ${slot}`),
      endpointRemoved: (slot) => void told.push(`removed ${slot}`),
    };
    const { step, core } = testCore({ compile: testCompiler(() => [listening]) });
    step(upsert("a"));
    const labelled = { ...endpoint("a"), labels: { zone: "z" } };
    step({ type: "endpointUpserted", atUs: 1, endpoint: labelled });
    expect(core.endpoints.description[0].labels).toEqual({ zone: "z" });
    step({ type: "endpointUpserted", atUs: 2, endpoint: { ...labelled, port: 9999 } });
    expect(told).toEqual(["added 0", "changed 0", "removed 0", "added 0"]);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CoreEvent } from "./events.ts";
import { AGE_NEVER } from "./decision-record.ts";
import type { Decision } from "./decision.ts";
import type { Notice } from "./notices.ts";
import type { PluginInstance } from "./plugin.ts";
import { endpoint, facts, testCompiler, testCore } from "./test-support/test-plan.ts";

const decisions = (notices: readonly Notice[]): Decision[] =>
  notices.flatMap((notice) => (notice.type === "decision" ? [notice.decision] : []));
const ids = (notices: readonly Notice[]) =>
  decisions(notices).map(({ outcome }) =>
    outcome.kind === "picked" ? outcome.endpointIds[0] : outcome.rejection.message,
  );
const upsert = (name: string, address?: string, atUs = 0): CoreEvent => ({
  type: "endpointUpserted",
  atUs,
  endpoint: endpoint(name, address),
});
const arrive = (key: number, atUs = 0, more = {}): CoreEvent => ({
  type: "requestArrived",
  atUs,
  facts: facts(key, more),
});
const end = (key: number, atUs = 0): CoreEvent => ({ type: "requestEnded", atUs, key, cause: "natural" });

describe("a core", () => {
  it("spreads 100 requests of one instant over 10 equal pods by 10 each, since a pick reserves at once", () => {
    const { step, core, notices } = testCore();
    for (let i = 0; i < 10; i++) step(upsert(`pod-${i}`, `10.0.0.${i}`));
    for (let key = 0; key < 100; key++) step(arrive(key));
    const counts = new Map<string, number>();
    for (const id of ids(notices)) counts.set(id, (counts.get(id) ?? 0) + 1);
    expect([...counts.values()]).toEqual(Array(10).fill(10));
    for (let key = 0; key < 100; key++) step(end(key));
    expect(core.requestCount).toBe(0);
    expect((core.plan.plugins[0].plugin as unknown as { total(): number }).total()).toBe(0);
  });

  it("refuses in the stock's words", () => {
    const { step } = testCore();
    expect(ids(step(arrive(0)))).toEqual(["failed to find endpoint candidates for serving the request"]);
    expect(ids(step(arrive(1, 0, { bodyless: true })))).toEqual(["no pods available in datastore"]);
    step(upsert("a"));
    expect(ids(step(arrive(2, 0, { model: "" })))).toEqual(["model not found in request body"]);
    expect(ids(step(arrive(3, 0, { model: "", rewritable: false })))).toEqual(["default/a"]);
    expect(ids(step(arrive(4, 0, { subset: [] })))).toEqual([
      "failed to find endpoint candidates for serving the request",
    ]);
  });

  it("gives a request that is tried again no endpoint that failed it, with or without a body", () => {
    const { step } = testCore();
    step(upsert("a", "10.0.0.1"));
    step(upsert("b", "10.0.0.2"));
    for (let key = 0; key < 20; key++) {
      expect(ids(step(arrive(key, 0, { excluded: ["default/a"], bodyless: key % 2 === 0 })))).toEqual(["default/b"]);
    }
    const excluded = ["default/a", "default/b"];
    expect(ids(step(arrive(20, 0, { excluded })))).toEqual([
      "failed to find endpoint candidates for serving the request",
    ]);
    expect(ids(step(arrive(21, 0, { excluded, bodyless: true })))).toEqual(["no pods available in datastore"]);
  });

  it("drops a sheddable request while its candidates are saturated, and no other", () => {
    const { step } = testCore();
    step({ type: "objectiveUpserted", atUs: 0, name: "batch", priority: -1 });
    step(upsert("a"));
    const batch = { headers: { "x-llm-d-inference-objective": "batch" } };
    expect(ids(step(arrive(0, 0, batch)))).toEqual(["default/a"]);
    step({ type: "signals", atUs: 5, rows: [{ slot: 0, generation: 1, waiting: 9 }] });
    expect(ids(step(arrive(1, 6, batch)))).toEqual(["system saturated, sheddable request dropped"]);
    expect(ids(step(arrive(2, 6)))).toEqual(["default/a"]);
  });

  it("never takes a slot used again for the old pod", () => {
    const { step, core } = testCore();
    step(upsert("a", "10.0.0.1"));
    step(arrive(0));
    step({ type: "endpointRemoved", atUs: 1, id: "default/a" });
    step(upsert("b", "10.0.0.2", 2));
    expect(core.endpoints.slotOf("default/b")).toBe(0);
    // A late scrape of the old pod, and the end of its request.
    step({ type: "signals", atUs: 3, rows: [{ slot: 0, generation: 1, waiting: 50 }] });
    step(end(0, 4));
    expect(core.endpoints.waiting[0]).toBe(0);
    expect(core.endpoints.column("test-inflight").values[0] || 0).toBe(0);
    // The same id at another address is another pod as well.
    step(upsert("b", "10.0.0.3", 5));
    expect(core.endpoints.generation[core.endpoints.slotOf("default/b")]).toBe(3);
  });

  it("moves a reservation to the endpoint that really served", () => {
    const { step, core, notices } = testCore();
    step(upsert("a", "10.0.0.1"));
    step(upsert("b", "10.0.0.2"));
    step(arrive(0));
    const [picked] = decisions(notices);
    const other = picked.outcome.kind === "picked" && picked.outcome.slots[0] === 0 ? 1 : 0;
    step({ type: "responseStarted", atUs: 1, key: 0, served: core.endpoints.target[other] });
    expect(core.endpoints.column("test-inflight").values[other]).toBe(1);
    expect(core.endpoints.column("test-inflight").values[1 - other]).toBe(0);
    step(end(0, 2));
    expect(core.endpoints.column("test-inflight").values[other]).toBe(0);
  });

  it("leaves a reservation with the endpoint that was picked when another one has its address", () => {
    const { step, core } = testCore();
    step(upsert("a", "10.0.0.1"));
    step(upsert("b", "10.0.0.1"));
    step(arrive(0));
    step(arrive(1));
    for (const key of [0, 1]) step({ type: "responseStarted", atUs: 1, key, served: "10.0.0.1:8000" });
    expect(core.endpoints.column("test-inflight").values.slice(0, 2)).toEqual(Float64Array.of(1, 1));
  });

  it("moves a reservation off an endpoint that is gone, even to one in the same slot or at the same address", () => {
    for (const address of ["10.0.0.1", "10.0.0.2"]) {
      const { step, core } = testCore();
      step(upsert("a", "10.0.0.1"));
      step(arrive(0));
      step({ type: "endpointRemoved", atUs: 1, id: "default/a" });
      step({ type: "responseStarted", atUs: 1, key: 0, served: "10.0.0.1:8000" });
      step(upsert("b", address, 2));
      const inflight = core.endpoints.column("test-inflight").values;
      expect([core.endpoints.slotOf("default/b"), inflight[0] || 0]).toEqual([0, 0]);
      step({ type: "responseStarted", atUs: 3, key: 0, served: core.endpoints.target[0] });
      expect(inflight[0]).toBe(1);
      step(end(0, 4));
      expect(inflight[0]).toBe(0);
    }
  });

  it("tells plugins the row of an endpoint that served, or -1 when it was no candidate", () => {
    const rows: number[] = [];
    const { step, core } = testCore({
      compile: testCompiler(() => [{ moved: (_r, _f, { row }) => void rows.push(row) }]),
    });
    for (const name of ["a", "bb", "ccc"]) step(upsert(name));
    step(arrive(0, 0, { excluded: ["default/ccc"] }));
    step({ type: "endpointRemoved", atUs: 1, id: "default/bb" });
    step(upsert("dddd", undefined, 2));
    expect(core.endpoints.slotOf("default/dddd")).toBe(1);
    for (const name of ["dddd", "ccc", "a"]) {
      step({ type: "responseStarted", atUs: 3, key: 0, served: endpoint(name).address + ":8000" });
    }
    expect(rows.slice(0, 2)).toEqual([-1, -1]);
    expect(rows.slice(2)).toEqual([0]);
  });

  it("keeps no block ids and media of a request that is on its way: they grow with its prompt, and answers take minutes", () => {
    const kept: (number | undefined)[][] = [];
    const look: PluginInstance = {
      preRequest: ({ facts: { blocks, media: seen } }) => void kept.push([blocks.length, seen?.length]),
      requestEnded: ({ facts: { blocks, media: seen } }) => void kept.push([blocks.length, seen?.length]),
    };
    const { step } = testCore({ compile: testCompiler(() => [look]) });
    step(upsert("a"));
    const blocks = [{ blockSizeTokens: 64, prompts: [{ tokens: 64, ids: Uint32Array.of(1, 2) }] }];
    const media = [{ modality: "image", hash: "a", prompt: 0, offsetTokens: 0, lengthTokens: 1 }];
    const [{ facts: told }] = decisions(step(arrive(0, 0, { blocks, media })));
    step(end(0));
    expect(told).toMatchObject({ blocks, media });
    expect(kept).toEqual([
      [1, 1],
      [0, undefined],
    ]);
  });

  it("turns a plugin's exception into a refusal of that request alone", () => {
    const broken: PluginInstance = { filter: (_request, _candidates, keep) => (fail ? boom() : keepFirst(keep)) };
    let fail = true;
    const boom = (): number => {
      throw new Error("boom");
    };
    const keepFirst = (keep: Int32Array) => ((keep[0] = 0), 1);
    const { step } = testCore({ compile: testCompiler(() => [broken]) });
    step(upsert("a"));
    const notices = step(arrive(0));
    expect(notices[0]).toMatchObject({ type: "pluginFailed", request: 0, cause: "Error: boom" });
    expect(ids(notices)).toEqual(["request could not be scheduled"]);
    fail = false;
    expect(ids(step(arrive(1)))).toEqual(["default/a"]);
  });

  it("refuses one more request than its limit", () => {
    const { step } = testCore({ limits: { requestsMax: 2 } });
    step(upsert("a"));
    step(arrive(0));
    step(arrive(1));
    expect(ids(step(arrive(2)))).toEqual(["too many requests in flight"]);
    step(end(0));
    expect(ids(step(arrive(3)))).toEqual(["default/a"]);
  });

  it("tells why: signals' ages, raw scores, totals and draws, until the ring's place is used again", () => {
    const { step, core } = testCore({ limits: { decisionsKept: 2 } });
    step(upsert("a", "10.0.0.1"));
    expect(decisions(step(arrive(9)))[0].record()!.agesUs[0]).toBe(AGE_NEVER);
    step({ type: "signals", atUs: 100, rows: [{ slot: 0, generation: 1, waiting: 3 }] });
    step(end(9));
    const [first] = decisions(step(arrive(0, 150)));
    const record = first.record()!;
    expect(record.agesUs[0]).toBe(50);
    expect(record.waiting[0]).toBe(3);
    expect([...record.profiles[0].raw.subarray(0, 1)]).toEqual([1]);
    expect(first.scores()).toEqual({ "10.0.0.1:8000": 1 });
    step(arrive(1, 150));
    step(arrive(2, 150));
    expect(first.record()).toBeUndefined();
    expect(core.decisions.get(3)).toBeDefined();
  });
});

describe("a parked request", () => {
  const asking = (): PluginInstance => ({
    produce: () => ({ kind: "echo", payload: 1, timeoutUs: 1000 }),
    resume: (request, answer) => {
      request.setHeader("x-answer", String(answer));
      return answer === null ? "no answer" : undefined;
    },
  });
  const parked = () => {
    const t = testCore({ compile: testCompiler(() => [asking(), { produce: () => undefined }]) });
    t.step(upsert("a", "10.0.0.1"));
    const notices = t.step(arrive(0, 10));
    expect(notices).toEqual([{ type: "ask", ask: { id: 0, request: 0, kind: "echo", payload: 1, dueAtUs: 1010 } }]);
    return t;
  };

  it("goes on with the answer", () => {
    const { step, core } = parked();
    expect(core.nextDueAtUs()).toBe(1010);
    const notices = step({ type: "askAnswered", atUs: 20, ask: 0, value: 42 });
    expect(ids(notices)).toEqual(["default/a"]);
    expect(decisions(notices)[0].headers.get("x-answer")).toBe("42");
    expect(core.nextDueAtUs()).toBeUndefined();
  });

  it("goes on without one at its deadline, and ignores a late answer", () => {
    const { step } = parked();
    expect(step({ type: "timePassed", atUs: 1009 })).toEqual([]);
    const notices = step({ type: "timePassed", atUs: 1010 });
    expect(notices.map((n) => n.type)).toEqual(["askOver", "producerFailed", "decision"]);
    expect(notices[1]).toMatchObject({ plugin: "plugin-1", cause: "no answer" });
    expect(step({ type: "askAnswered", atUs: 1011, ask: 0, value: 1 })).toEqual([{ type: "answerIgnored", ask: 0 }]);
  });

  it("goes on when the ask fails", () => {
    const { step } = parked();
    expect(ids(step({ type: "askFailed", atUs: 11, ask: 0, cause: "refused" }))).toEqual(["default/a"]);
  });

  it("is forgotten when its client goes", () => {
    const { step, core } = parked();
    expect(step(end(0, 30))).toEqual([{ type: "askOver", ask: 0, reason: "request-gone" }]);
    expect(core.requestCount).toBe(0);
    expect(core.nextDueAtUs()).toBeUndefined();
    expect(step({ type: "askAnswered", atUs: 31, ask: 0, value: 1 })).toEqual([{ type: "answerIgnored", ask: 0 }]);
  });

  it("drops an endpoint that was replaced meanwhile, with its column", () => {
    const { step } = parked();
    step(upsert("b", "10.0.0.2", 11));
    step({ type: "endpointRemoved", atUs: 12, id: "default/a" });
    step(upsert("a", "10.0.0.9", 13));
    expect(ids(step({ type: "askAnswered", atUs: 14, ask: 0, value: 1 }))).toEqual([
      "failed to find endpoint candidates for serving the request",
    ]);
  });

  it("can park at admission and before scheduling too", () => {
    const log: string[] = [];
    const queue: number[] = [];
    const { step } = testCore({
      compile: testCompiler(() => [
        {
          prepare: () => (log.push("prepare"), { kind: "predict", payload: null }),
          resume: () => void log.push("resumed"),
        },
      ]),
      admission: () => ({
        admit: (request) => (queue.push(request.facts.key), "queued"),
        dispatch: (nowUs) =>
          nowUs >= 100 ? queue.splice(0).map((key) => ({ key, verdict: "admitted" as const })) : [],
        nextDueAtUs: () => (queue.length ? 100 : undefined),
      }),
    });
    step(upsert("a"));
    expect(step(arrive(0, 10))).toEqual([]);
    expect(step({ type: "timePassed", atUs: 100 }).map((n) => n.type)).toEqual(["ask"]);
    expect(ids(step({ type: "askAnswered", atUs: 101, ask: 0, value: null }))).toEqual(["default/a"]);
    expect(log).toEqual(["prepare", "resumed"]);
  });
});

describe("any run", () => {
  const someEvent = fc.oneof(
    { weight: 6, arbitrary: fc.record({ op: fc.constant("arrive" as const), key: fc.nat(40) }) },
    { weight: 4, arbitrary: fc.record({ op: fc.constant("end" as const), key: fc.nat(40) }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant("up" as const), pod: fc.nat(5), address: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("down" as const), pod: fc.nat(5) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        op: fc.constant("scrape" as const),
        slot: fc.nat(6),
        generation: fc.nat(4),
        waiting: fc.nat(9),
      }),
    },
    { weight: 2, arbitrary: fc.record({ op: fc.constant("answer" as const), ask: fc.nat(20) }) },
  );
  type Op = typeof someEvent extends fc.Arbitrary<infer T> ? T : never;
  const toEvent = (e: Op, atUs: number): CoreEvent => {
    if (e.op === "arrive") return arrive(e.key, atUs);
    if (e.op === "end") return end(e.key, atUs);
    if (e.op === "up") return upsert(`pod-${e.pod}`, `10.0.${e.address}.${e.pod}`, atUs);
    if (e.op === "down") return { type: "endpointRemoved", atUs, id: `default/pod-${e.pod}` };
    if (e.op === "answer") return { type: "askAnswered", atUs, ask: e.ask, value: null };
    return { type: "signals", atUs, rows: [{ slot: e.slot, generation: e.generation, waiting: e.waiting }] };
  };
  const askingOften: PluginInstance = {
    produce: (request) => (request.facts.key % 3 === 0 ? { kind: "x", payload: null, timeoutUs: 30 } : undefined),
  };

  it("decides the same for the same events and seed, and gives everything back at the end", () => {
    fc.assert(
      fc.property(fc.array(someEvent, { maxLength: 150 }), fc.nat(), (run, seed) => {
        const play = () => {
          const t = testCore({ seed, compile: testCompiler(() => [askingOften]) });
          run.forEach((e, i) => t.step(toEvent(e, i * 10)));
          const { decisionHash } = t.core;
          for (let key = 0; key <= 40; key++) t.step(end(key, 10_000));
          expect(t.core.requestCount).toBe(0);
          expect(t.core.nextDueAtUs()).toBeUndefined();
          expect((t.core.plan.plugins[0].plugin as unknown as { total(): number }).total()).toBe(0);
          return { decisionHash, said: JSON.stringify(ids(t.notices)) };
        };
        expect(play()).toEqual(play());
      }),
      { numRuns: 200 },
    );
  });

  it("decides otherwise, and has another hash, with another seed", () => {
    const hashes = [1, 2].map((seed) => {
      const { step, core } = testCore({ seed });
      for (let i = 0; i < 5; i++) step(upsert(`p${i}`, `10.0.0.${i}`));
      for (let key = 0; key < 20; key++) step(arrive(key));
      return core.decisionHash;
    });
    expect(hashes[0]).not.toBe(hashes[1]);
  });
});

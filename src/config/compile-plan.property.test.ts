import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blockIds } from "../core/block-ids.ts";
import { Core } from "../core/core.ts";
import { DEFAULT_CORE_LIMITS } from "../core/core-limits.ts";
import type { Decision } from "../core/decision.ts";
import { endLine, eventLine, headerLine } from "../core/event-log.ts";
import type { AskValue, CoreEvent } from "../core/events.ts";
import type { Ask, Notice } from "../core/notices.ts";
import { Replay } from "../core/replay.ts";
import { endpoint, facts } from "../core/test-support/test-plan.ts";
import { compilePlan } from "./compile-plan.ts";

const WEIGHTS = { "queue-scorer": 2, "kv-cache-utilization-scorer": 2, "prefix-cache-scorer": 3 };
const MORE_WEIGHTS = { "active-request-scorer": 1, "token-load-scorer": 0.5, "no-hit-lru-scorer": 0.25 };
const ALL_WEIGHTS = { ...WEIGHTS, ...MORE_WEIGHTS };
const TOTAL = Object.values(ALL_WEIGHTS).reduce((sum, weight) => sum + weight, 0);

/** The default config with every plugin that reserves. */
const source = {
  text: `apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: inflight-load-producer
${Object.keys(ALL_WEIGHTS)
  .map((type) => `- type: ${type}\n`)
  .join("")}schedulingProfiles:
- name: default
  plugins:
${Object.entries(ALL_WEIGHTS)
  .map(([type, weight]) => `  - pluginRef: ${type}\n    weight: ${weight}\n`)
  .join("")}`,
  options: {},
};
const limits = { ...DEFAULT_CORE_LIMITS, prefixIndexBytesMax: 4096, decisionsKept: 4 };

const pod = fc.nat(4);
const nth = fc.nat(20);
const someOp = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant("arrive" as const),
      family: fc.nat(2),
      tokens: fc.integer({ min: -1, max: 500 }),
      model: fc.constantFrom("m", "n"),
      // What the reader foresaw: the right sizes, or none, which makes an ask.
      foreseen: fc.boolean(),
      more: fc.constantFrom(
        {},
        {},
        { bodyless: true },
        { excluded: ["default/pod-0"] },
        { subset: ["10.0.0.1", "10.0.1.2"] },
        { headers: { "x-llm-d-inference-objective": "batch" } },
      ),
    }),
  },
  { weight: 4, arbitrary: fc.record({ op: fc.constant("end" as const), nth }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("started" as const), nth, pod, tells: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("firstByte" as const), nth }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("up" as const), pod, moved: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("down" as const), pod }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("scrape" as const),
      pod,
      late: fc.boolean(),
      waiting: fc.constantFrom(0, 1, 7, -(2 ** 63)),
      kvUsage: fc.constantFrom(0, 0.3, 1, 1.5, -1, -0),
      blockSizeTokens: fc.constantFrom(0, 64, 128, 1e18),
      blockCount: fc.constantFrom(0, 3, 100, 1e18),
    }),
  },
  { weight: 4, arbitrary: fc.record({ op: fc.constant("answer" as const), nth, good: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("reload" as const) }) },
);
type Op = typeof someOp extends fc.Arbitrary<infer T> ? T : never;

/** Prompts of one family begin alike. */
const promptOf = (family: number, tokens: number) => ({
  bytes: new Uint8Array(Uint32Array.from({ length: tokens }, (_, i) => family * 1000 + i).buffer),
});
const address = (name: number, moved: number) => `10.0.${moved}.${name}`;

/** A core with the compiled plan, and beside it what a reader of its notices knows. */
class World {
  readonly lines = [headerLine(5, limits)];
  readonly prompts: { bytes: Uint8Array }[] = [];
  /** What was picked and is not over, by key: `slot:generation`. */
  readonly reserved = new Map<number, string>();
  /** Every `slot:generation` that was ever picked or served. */
  readonly touched = new Set<string>();
  readonly asks: Ask[] = [];
  readonly core: Core;
  decided = 0;
  /** Requests that ended while they were parked: nobody is told a decision. */
  goneUndecided = 0;
  events = 0;

  constructor() {
    // Within the step, while slots are what they were when it was said.
    const env = { seed: 5, emit: (notice: Notice) => this.#take(notice) };
    this.core = new Core({ env, compile: compilePlan, limits });
    this.step({ type: "configLoaded", atUs: 0, source });
    this.step({ type: "objectiveUpserted", atUs: 0, name: "batch", priority: -1 });
  }

  /** Steps, notes what this means, and looks at the numbers. */
  step(event: CoreEvent, note?: () => void): void {
    this.lines.push(eventLine(event, this.events++));
    this.core.step(event);
    note?.();
    this.#checkLoad();
  }

  place(slot: number): string {
    return `${slot}:${this.core.endpoints.generation[slot]}`;
  }

  #take(notice: Notice): void {
    expect(notice.type).not.toMatch(/pluginFailed|hookFailed/);
    if (notice.type === "ask") this.asks.push(notice.ask);
    else if (notice.type === "askOver" && notice.reason === "request-gone") this.goneUndecided++;
    else if (notice.type === "requestReleased") this.reserved.delete(notice.request);
    else if (notice.type === "decision") this.#decision(notice.decision);
  }

  #decision(decision: Decision): void {
    const { facts: asked, outcome } = decision;
    this.decided++;
    const run = decision.record()!.profiles[0];
    if (outcome.kind === "rejected" || asked.bodyless) return;
    const { endpoints } = this.core;
    const [slot] = outcome.slots;
    expect(endpoints.live[slot]).toBe(1);
    expect(endpoints.description[slot].id).toBe(outcome.endpointIds[0]);
    expect(asked.excluded ?? []).not.toContain(outcome.endpointIds[0]);
    if (asked.subset) expect(asked.subset).toContain(endpoints.description[slot].address);
    const scorers = run.profile!.scorers.map(({ name }) => name);
    for (const raw of run.raw.subarray(0, run.count * scorers.length)) expect(raw >= 0 && raw <= 1).toBe(true);
    const totals = [...run.totals.subarray(0, run.count)];
    for (const total of totals) expect(total >= 0 && total <= TOTAL).toBe(true);
    expect(run.totals[run.picks[0]]).toBe(Math.max(...totals));
    // An endpoint that never got a request holds no prefix, whatever stood in its slot before.
    const prefix = scorers.indexOf("prefix-cache-scorer") * run.count;
    const ids = decision.record()!.ids;
    for (let i = 0; i < run.count; i++) {
      const place = this.place(endpoints.slotOf(ids[run.rows[i]]));
      if (!this.touched.has(place)) expect(run.raw[prefix + i]).toBe(0);
    }
    this.touched.add(this.place(slot));
    this.reserved.set(asked.key, this.place(slot));
  }

  /** The producer's numbers are those of the requests under way. */
  #checkLoad(): void {
    const { endpoints } = this.core;
    const requests = endpoints.column("inflight-load-producer/requests").values;
    const tokens = endpoints.column("inflight-load-producer/tokens").values;
    for (const slot of endpoints.slots()) {
      const count = [...this.reserved.values()].filter((place) => place === this.place(slot)).length;
      expect(requests[slot] || 0).toBe(count);
      if (count === 0) expect(tokens[slot] || 0).toBe(0);
    }
  }
}

function play(world: World, op: Op, atUs: number): void {
  const { core, prompts } = world;
  const { endpoints } = core;
  const id = "pod" in op ? `default/pod-${op.pod}` : "";
  const key = "nth" in op && prompts.length > 0 ? op.nth % prompts.length : 0;
  switch (op.op) {
    case "arrive": {
      const prompt = promptOf(op.family, Math.max(0, op.tokens));
      const cut = blockIds([prompt], op.foreseen ? core.blockSizesTokens() : []);
      const read = op.tokens < 0 ? { inputTokens: -1, blocks: [] } : cut;
      const arriving = facts(prompts.push(prompt) - 1, { model: op.model, ...read, ...op.more });
      return world.step({ type: "requestArrived", atUs, facts: arriving });
    }
    case "end":
      return world.step({ type: "requestEnded", atUs, key, cause: "natural" });
    case "started": {
      const slot = endpoints.slotOf(id);
      if (!op.tells || slot < 0) return world.step({ type: "responseStarted", atUs, key });
      return world.step({ type: "responseStarted", atUs, key, served: endpoints.target[slot] }, () => {
        if (world.reserved.has(key)) world.reserved.set(key, world.place(slot));
        world.touched.add(world.place(slot));
      });
    }
    case "firstByte":
      return world.step({ type: "responseFirstByte", atUs, key });
    case "up":
      return world.step({
        type: "endpointUpserted",
        atUs,
        endpoint: endpoint(`pod-${op.pod}`, address(op.pod, op.moved)),
      });
    case "down":
      return world.step({ type: "endpointRemoved", atUs, id });
    case "scrape": {
      const slot = Math.max(0, endpoints.slotOf(id));
      const { late, waiting, kvUsage, blockSizeTokens, blockCount } = op;
      const generation = (endpoints.generation[slot] ?? 0) - Number(late);
      const row = { slot, generation, waiting, kvUsage, blockSizeTokens, blockCount };
      return world.step({ type: "signals", atUs, rows: [row] });
    }
    case "answer": {
      const ask = world.asks[op.nth % Math.max(1, world.asks.length)];
      if (!ask) return undefined;
      const { blockSizeTokens } = ask.payload as { blockSizeTokens: number };
      if (!op.good) return world.step({ type: "askFailed", atUs, ask: ask.id, cause: "no" });
      const { prompts: cut } = blockIds([prompts[ask.request]], [blockSizeTokens]).blocks[0];
      return world.step({ type: "askAnswered", atUs, ask: ask.id, value: { prompts: cut as unknown as AskValue } });
    }
    case "reload":
      return world.step({ type: "configLoaded", atUs, source });
  }
}

describe("any run over the compiled stock plan", () => {
  it("keeps its numbers, answers everyone, forgets who is gone, and replays from its log", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(someOp, fc.nat(150_000)), { maxLength: 120, size: "max" }), (run) => {
        const world = new World();
        const { core, prompts } = world;
        let atUs = 0;
        for (let i = 0; i < 3; i++) play(world, { op: "up", pod: i, moved: 0 }, atUs);
        for (const [op, passed] of run) play(world, op, (atUs += passed));
        world.step({ type: "timePassed", atUs: atUs + 10_000_000 });
        expect(world.decided).toBe(prompts.length - world.goneUndecided);
        expect(core.nextDueAtUs()).toBeUndefined();
        for (const key of prompts.keys()) world.step({ type: "requestEnded", atUs, key, cause: "error" });
        expect([core.requestCount, world.reserved.size]).toEqual([0, 0]);
        const end = { events: world.events, decisions: core.decisionCount, hash: core.decisionHash };
        const replay = new Replay({ compile: compilePlan });
        for (const line of [...world.lines, endLine(end)]) replay.push(line);
        expect(replay.end()).toMatchObject({ same: true });
        for (let i = 0; i < 5; i++) world.step({ type: "endpointRemoved", atUs, id: `default/pod-${i}` });
        const prefixes = core.plan.plugins.find(({ name }) => name === "approx-prefix-cache-producer")!;
        expect(prefixes.plugin.gauges!()["prefix_indexer_size"]).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePlan } from "../../config/compile-plan.ts";
import { blockIds } from "../../core/block-ids.ts";
import { Core } from "../../core/core.ts";
import type { Decision } from "../../core/decision.ts";
import type { CoreEvent, EndCause } from "../../core/events.ts";
import type { Notice } from "../../core/notices.ts";
import { endpoint, facts } from "../../core/test-support/test-plan.ts";
import { InflightColumns } from "./inflight-columns.ts";

const CAUSES: readonly EndCause[] = ["natural", "client-disconnect", "evicted", "error"];
const HOUR_US = 3_600_000_000;

const PLAIN = `
plugins:
- type: inflight-load-producer
- type: approx-prefix-cache-producer
- type: active-request-scorer`;
const WITH_OUTPUT = PLAIN.replace(
  "- type: inflight-load-producer",
  "- {type: inflight-load-producer, parameters: {addEstimatedOutputTokens: true}}",
);
const DISAGGREGATED = `
plugins:
- type: inflight-load-producer
- type: approx-prefix-cache-producer
- type: always-disagg-pd-decider
- {type: disagg-profile-handler, parameters: {deciders: {prefill: always-disagg-pd-decider}}}
- {type: label-selector-filter, name: even, parameters: {matchLabels: {half: even}}}
- {type: label-selector-filter, name: odd, parameters: {matchLabels: {half: odd}}}
- type: active-request-scorer
schedulingProfiles:
- {name: prefill, plugins: [{pluginRef: even}, {pluginRef: active-request-scorer}]}
- {name: decode, plugins: [{pluginRef: odd}, {pluginRef: active-request-scorer}]}`;
const CONFIGS = { PLAIN, WITH_OUTPUT, DISAGGREGATED };

const PODS = [0, 1, 2, 3];
const pod = (i: number, address = `10.0.0.${i}`) => ({
  ...endpoint(`pod-${i}`, address),
  labels: { half: i % 2 === 0 ? "even" : "odd" },
});

/** A core under a config, with pods that others keep busy. */
class World {
  readonly core: Core;
  readonly load: InflightColumns;
  readonly asks: number[] = [];
  last: Decision | undefined;
  nowUs = 0;
  #nextKey = 0;

  constructor(config: string) {
    this.core = new Core({ env: { seed: 3, emit: (notice) => this.#take(notice) }, compile: compilePlan });
    this.step({ type: "configLoaded", atUs: 0, source: { text: config, options: {} } });
    for (const i of PODS) this.step({ type: "endpointUpserted", atUs: 0, endpoint: pod(i) });
    this.load = new InflightColumns(this.core.endpoints, "inflight-load-producer");
    for (let i = 0; i < 12; i++) this.arrive();
  }

  step(event: CoreEvent): void {
    this.nowUs = Math.max(this.nowUs, event.atUs);
    this.core.step({ ...event, atUs: this.nowUs });
  }

  /** Brings a request, with the blocks that it needs or without. Gives its key. */
  arrive(foreseen = true): number {
    const key = this.#nextKey++;
    const cut = blockIds([this.#prompt(key)], foreseen ? this.core.blockSizesTokens() : []);
    this.step({ type: "requestArrived", atUs: this.nowUs, facts: facts(key, cut) });
    return key;
  }

  answer(key: number): void {
    const { prompts } = blockIds([this.#prompt(key)], [64]).blocks[0];
    const value = { prompts: prompts.map(({ tokens, ids }) => ({ tokens, ids })) };
    this.step({ type: "askAnswered", atUs: this.nowUs, ask: this.asks.at(-1)!, value });
  }

  /** Requests and tokens in flight of each pod by name, those that are there. */
  loads(): Readonly<Record<string, readonly [number, number]>> {
    const { endpoints } = this.core;
    return Object.fromEntries(
      [...endpoints.slots()].map((slot) => [
        endpoints.description[slot].name,
        [this.load.requests(slot), this.load.tokens(slot)] as const,
      ]),
    );
  }

  #prompt(key: number) {
    return { bytes: new Uint8Array(Uint32Array.from({ length: 100 + key }, (_, i) => key * 1000 + i).buffer) };
  }

  #take(notice: Notice): void {
    expect(notice.type).not.toMatch(/pluginFailed|hookFailed/);
    if (notice.type === "ask") this.asks.push(notice.ask.id);
    if (notice.type === "decision") this.last = notice.decision;
  }
}

/** The way of a stream, step by step; `another` is where the proxy may have sent it instead. */
const WAY: readonly (readonly [string, (world: World, key: number) => void])[] = [
  ["its blocks are asked for", () => undefined],
  ["it was decided", (world, key) => world.answer(key)],
  [
    "another endpoint began to answer",
    (world, key) => {
      const { outcome } = world.last!;
      const picked = outcome.kind === "picked" ? outcome.slots[0] : -1;
      const another = world.core.endpoints.slots().find((slot) => slot !== picked && slot % 2 === picked % 2)!;
      const served = world.core.endpoints.target[another];
      world.step({ type: "responseStarted", atUs: world.nowUs, key, served });
    },
  ],
  ["its first byte came", (world, key) => world.step({ type: "responseFirstByte", atUs: world.nowUs, key })],
];

describe("load in flight when a stream dies", () => {
  for (const [name, config] of Object.entries(CONFIGS)) {
    for (const [at, [where]] of WAY.entries()) {
      it(`after ${where} (${name}) is what others have, whatever ended it`, () => {
        for (const cause of CAUSES) {
          const world = new World(config);
          const others = world.loads();
          expect(Object.values(others).reduce((sum, [requests]) => sum + requests, 0)).toBeGreaterThanOrEqual(12);
          const key = world.arrive(false);
          for (const [, go] of WAY.slice(1, at + 1)) go(world, key);
          const busier = Object.entries(world.loads()).filter(([id, [requests]]) => requests > others[id][0]);
          // The prefill pod is done with the first byte.
          const reserves = name === "DISAGGREGATED" && at < 3 ? 2 : 1;
          expect(busier).toHaveLength(at === 0 ? 0 : reserves);
          world.step({ type: "requestEnded", atUs: world.nowUs, key, cause });
          expect(world.loads()).toEqual(others);
          // Told twice, it is given back once.
          world.step({ type: "requestEnded", atUs: world.nowUs, key, cause });
          expect(world.loads()).toEqual(others);
        }
      });
    }

    it(`without an answer to its ask (${name}) is reserved all the same, and given back`, () => {
      const world = new World(config);
      const others = world.loads();
      const key = world.arrive(false);
      world.step({ type: "timePassed", atUs: world.nowUs + 400_000 });
      expect(world.last!.facts.key).toBe(key);
      expect(world.loads()).not.toEqual(others);
      world.step({ type: "requestEnded", atUs: world.nowUs, key, cause: "error" });
      expect(world.loads()).toEqual(others);
    });

    it(`days after its last chunk (${name}) is still there until then`, () => {
      const world = new World(config);
      const others = world.loads();
      const key = world.arrive();
      for (const [, go] of WAY.slice(2)) go(world, key);
      const busy = world.loads();
      expect(busy).not.toEqual(others);
      for (let hour = 0; hour < 50; hour++) world.step({ type: "timePassed", atUs: world.nowUs + HOUR_US });
      expect(world.loads()).toEqual(busy);
      world.step({ type: "requestEnded", atUs: world.nowUs, key, cause: "natural" });
      expect(world.loads()).toEqual(others);
    });
  }
});

describe("load in flight of endpoints that flap", () => {
  it("begins at nothing for a pod that came back, stays with one whose labels changed, and ends at nothing", () => {
    const flap = fc.record({
      pod: fc.constantFrom(...PODS),
      how: fc.constantFrom("gone and back", "another address", "other labels"),
      died: fc.nat(20),
      cause: fc.constantFrom(...CAUSES),
    });
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(CONFIGS)), fc.array(flap, { maxLength: 12 }), (config, flaps) => {
        const world = new World(config);
        const addresses = PODS.map((one) => `10.0.0.${one}`);
        for (const [i, { pod: which, how, died, cause }] of flaps.entries()) {
          const before = world.loads();
          if (how === "gone and back") {
            world.step({ type: "endpointRemoved", atUs: world.nowUs, id: `default/pod-${which}` });
          } else if (how === "another address") addresses[which] = `10.1.${i}.${which}`;
          const same = pod(which, addresses[which]);
          world.step({
            type: "endpointUpserted",
            atUs: world.nowUs,
            endpoint: { ...same, labels: { ...same.labels, round: `${i}` } },
          });
          expect(world.loads()).toEqual(how === "other labels" ? before : { ...before, [`pod-${which}`]: [0, 0] });
          world.arrive();
          world.step({ type: "requestEnded", atUs: world.nowUs, key: died, cause });
          for (const [requests, tokens] of Object.values(world.loads())) {
            expect(requests).toBeGreaterThanOrEqual(0);
            expect(tokens).toBeGreaterThanOrEqual(0);
          }
        }
        for (let key = 0; key < 12 + flaps.length; key++) {
          world.step({ type: "requestEnded", atUs: world.nowUs, key, cause: "natural" });
        }
        expect(Object.values(world.loads())).toEqual(PODS.map(() => [0, 0]));
        expect(world.core.requestCount).toBe(0);
      }),
      { numRuns: 40 },
    );
  });
});

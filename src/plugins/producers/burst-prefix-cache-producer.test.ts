import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePlan } from "../../config/compile-plan.ts";
import { blockIds } from "../../core/block-ids.ts";
import { Core } from "../../core/core.ts";
import { prefixMatchKey } from "../../core/data-key.ts";
import type { CoreEvent } from "../../core/events.ts";
import type { Notice } from "../../core/notices.ts";
import type { RequestFacts } from "../../core/request-facts.ts";
import { endpoint, facts } from "../../core/test-support/test-plan.ts";
import { make, poolOf, requestOf } from "../test-support/fixture.ts";
import { burstPrefixCacheProducer } from "./burst-prefix-cache-producer.ts";

const key = prefixMatchKey("burst-prefix-cache-producer");

const promptOf = (tokens: number, from = 0) => ({
  bytes: new Uint8Array(Uint32Array.from({ length: tokens }, (_, i) => from + i).buffer),
});
const factsOf = (tokens: number, from = 0, size = 64): Partial<RequestFacts> =>
  blockIds([promptOf(tokens, from)], [size]);

/** A producer over a pool; requests join its window and are resumed by hand. */
function scene(pods: number, params: object = {}) {
  const endpoints = poolOf(Array.from({ length: pods }, () => ({})));
  const plugin = make(burstPrefixCacheProducer, params, endpoints);
  const join = (some: Partial<RequestFacts>, nowUs = 0) => {
    const request = requestOf(endpoints, some, endpoints.slots(), nowUs);
    return { request, outcome: plugin.produce(request) };
  };
  const matched = ({ request }: ReturnType<typeof join>) => {
    expect(plugin.resume(request, null)).toBeUndefined();
    return [...request.get(key)!.matchBlocks];
  };
  return { endpoints, plugin, join, matched };
}

describe("burst-prefix-cache-producer", () => {
  it("lets requests wait for the end of the window that the first of them opened", () => {
    const { join } = scene(2, { windowDurationMs: 30 });
    expect(join(factsOf(64), 5_000).outcome).toEqual({ untilUs: 35_000 });
    expect(join(factsOf(64), 34_999).outcome).toEqual({ untilUs: 35_000 });
    expect(join(factsOf(64), 35_000).outcome).toEqual({ untilUs: 65_000 });
  });

  it("matches equal prompts fully on one endpoint, and others nowhere", () => {
    const { join, matched } = scene(3);
    const joined = [factsOf(130), factsOf(130, 7), factsOf(130)].map((some) => join(some));
    expect(joined.map(matched)).toEqual([
      [3, 0, 0],
      [0, 0, 0],
      [3, 0, 0],
    ]);
    expect(joined[1].request.get(key)).toMatchObject({ totalBlocks: 3, blockSizeTokens: 64 });
  });

  it("keeps windows, models and salts apart", () => {
    const { join, matched } = scene(1, { windowDurationMs: 1 });
    const alone = [
      join(factsOf(64)),
      join({ ...factsOf(64), model: "n" }),
      join({ ...factsOf(64), cacheSalt: "s" }),
      join(factsOf(64), 1000),
    ];
    for (const one of alone) expect(matched(one)).toEqual([0]);
  });

  it("opens a new window when the last one ended without anyone there", () => {
    const { join, matched } = scene(1, { windowDurationMs: 1 });
    join(factsOf(64), 0);
    const later = join(factsOf(64), 5000);
    expect(later.outcome).toEqual({ untilUs: 6000 });
    expect(matched(later)).toEqual([0]);
  });

  it("takes a request of no tokens along, with no blocks, and none that was not tokenised", () => {
    const { join, matched } = scene(1);
    const empty = join({ inputTokens: 0 });
    expect(empty.outcome).toEqual({ untilUs: 100_000 });
    expect(matched(empty)).toEqual([0]);
    expect(empty.request.get(key)).toMatchObject({ totalBlocks: 0 });
    expect(join({ inputTokens: -1 }).outcome).toBeUndefined();
  });

  it("places over the endpoints that are still there", () => {
    const { endpoints, join, matched } = scene(2);
    const joined = [join(factsOf(64)), join(factsOf(64))];
    endpoints.remove(0);
    endpoints.add(endpoint("new"));
    expect(joined.map(matched)).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  it("places over the candidates of the first, and matches nowhere where its choice is no candidate", () => {
    const { endpoints, plugin } = scene(2);
    const requests = [Int32Array.of(0), Int32Array.of(1, 0), Int32Array.of(1)].map((slots) =>
      requestOf(endpoints, factsOf(64), slots),
    );
    for (const request of requests) plugin.produce(request);
    for (const request of requests) plugin.resume(request, null);
    expect(requests.map((request) => [...request.get(key)!.matchBlocks])).toEqual([[1], [0, 1], [0]]);
  });

  it("prefers fewer running requests, as they are at the end of the window", () => {
    const { endpoints, join, matched } = scene(2);
    const joined = [join(factsOf(64)), join(factsOf(64))];
    endpoints.scraped({ slot: 0, generation: endpoints.generation[0], running: 3 }, 1);
    endpoints.scraped({ slot: 1, generation: endpoints.generation[1], running: Number.NaN }, 1);
    expect(joined.map(matched)).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  it.each([
    [{}, 64, 2048],
    [{ maxPrefixTokensToMatch: 200 }, 64, 3],
    [{ maxPrefixTokensToMatch: 200, blockSizeTokens: 16 }, 16, 12],
  ])("compares with %j blocks of %i tokens, %i at most", (params, size, blocks) => {
    const { plugin, join, matched } = scene(1, params);
    expect(plugin.blockSizesTokens()).toEqual([size]);
    const joined = [join(factsOf(64 * 3000, 0, size)), join(factsOf(64 * 2999, 0, size))];
    expect(joined.map(matched)).toEqual([[blocks], [blocks]]);
  });

  it("asks for blocks that the facts lack, and joins with the answer", () => {
    const { plugin, join, matched } = scene(1);
    const late = join(factsOf(64, 0, 32));
    expect(late.outcome).toEqual({ kind: "blockIds", payload: { blockSizeTokens: 64 } });
    expect(plugin.resume(join(factsOf(64, 0, 32)).request, null)).toBe("no block ids of 64 tokens came in time");
    const [{ prompts }] = blockIds([promptOf(64)], [64]).blocks;
    const answer = { prompts: prompts.map(({ tokens, ids }) => ({ tokens, ids })) };
    expect(plugin.resume(late.request, answer)).toEqual({ untilUs: 100_000 });
    const other = join(factsOf(64));
    expect([matched(late), matched(other)]).toEqual([[1], [1]]);
  });

  it("fails when the window is full, and takes the next one's", () => {
    const { join } = scene(1, { maxBatchSize: 2, windowDurationMs: 1 });
    expect([join(factsOf(64)), join({ inputTokens: 0 }), join(factsOf(64))].map(({ outcome }) => outcome)).toEqual([
      { untilUs: 1000 },
      { untilUs: 1000 },
      "burst prefix batch full: maxBatchSize 2 reached",
    ]);
    expect(join(factsOf(64), 1000).outcome).toEqual({ untilUs: 2000 });
  });

  it("holds no window over 100,000 requests, nor over 8 million blocks", () => {
    const { join } = scene(1, { maxBatchSize: -1 });
    for (let i = 0; i < 100_000; i++) join({ inputTokens: 0 });
    expect(join({ inputTokens: 0 }).outcome).toBe("burst prefix batch full: maxBatchSize 100000 reached");
    const large = scene(1, { blockSizeTokens: 1, maxPrefixTokensToMatch: 10_000_000 });
    const ids = new Uint32Array(2 * 4_194_304);
    const many: Partial<RequestFacts> = {
      inputTokens: 4_194_304,
      blocks: [{ blockSizeTokens: 1, prompts: [{ tokens: 4_194_304, ids }] }],
    };
    expect([large.join(many), large.join(many)].map(({ outcome }) => outcome)).toEqual(
      [100_000, 100_000].map((untilUs) => ({ untilUs })),
    );
    expect(large.join(factsOf(1, 0, 1)).outcome).toBe("burst prefix batch full: 8388608 blocks reached");
  });

  it.each([
    { windowDurationMs: 0 },
    { windowDurationMs: 10_001 },
    { maxPerReplica: 0 },
    { maxPerReplica: -2 },
    { blockSizeTokens: 0 },
    { maxPrefixTokensToMatch: -1 },
    { maxPrefixTokensToMatch: 63 },
    { minColocateBlocks: -1 },
    { maxBatchSize: 0 },
    { balanceBy: "blocks" },
  ])("refuses %j", (params) => {
    expect(burstPrefixCacheProducer.params.safeParse(params).success).toBe(false);
  });
});

const CONFIG = `
plugins:
- {type: burst-prefix-cache-producer, parameters: {windowDurationMs: 10}}
- {type: prefix-cache-scorer, parameters: {prefixMatchInfoProducerName: burst-prefix-cache-producer}}`;

/** A core of the config over pods, with what it decided: [key, endpoint] of each decision, in order. */
function burstCore(pods: number) {
  const decided: [number, string][] = [];
  const emit = (notice: Notice) => {
    if (notice.type !== "decision") return;
    const { facts: asked, outcome } = notice.decision;
    decided.push([asked.key, outcome.kind === "picked" ? outcome.endpointIds[0] : outcome.rejection.message]);
  };
  const core = new Core({ env: { seed: 1, emit }, compile: compilePlan });
  const events: CoreEvent[] = [];
  const step = (event: CoreEvent) => {
    events.push(event);
    core.step(event);
  };
  const load = (atUs: number, text = CONFIG) =>
    step({ type: "configLoaded", atUs, source: { text, options: { "allow-experimental-plugins": true } } });
  load(0);
  for (let i = 0; i < pods; i++)
    step({ type: "endpointUpserted", atUs: 0, endpoint: endpoint(`pod-${i}`, `10.0.0.${i}`) });
  const arrive = (requestKey: number, atUs: number, from = 0) =>
    step({ type: "requestArrived", atUs, facts: facts(requestKey, factsOf(128, from)) });
  return { core, decided, events, step, load, arrive };
}

describe("a burst in the core", () => {
  it("meets on one endpoint, at the time that the core asked to be called", () => {
    const { core, decided, step, arrive } = burstCore(5);
    for (const requestKey of [0, 1, 2, 3]) arrive(requestKey, 1000 + requestKey);
    expect(decided).toEqual([]);
    expect(core.nextDueAtUs()).toBe(11_000);
    step({ type: "timePassed", atUs: 11_000 });
    expect(decided.map(([requestKey]) => requestKey)).toEqual([0, 1, 2, 3]);
    expect(new Set(decided.map(([, id]) => id)).size).toBe(1);
    expect(core.nextDueAtUs()).toBeUndefined();
  });

  it("goes on without those that left, and with the config that it began with", () => {
    const { core, decided, step, load, arrive } = burstCore(5);
    for (const requestKey of [0, 1, 2]) arrive(requestKey, 1000);
    step({ type: "requestEnded", atUs: 2000, key: 0, cause: "client-disconnect" });
    load(3000, "plugins: [{type: queue-scorer}]");
    arrive(3, 4000);
    step({ type: "timePassed", atUs: 11_000 });
    expect(decided.map(([requestKey]) => requestKey)).toEqual([3, 1, 2]);
    expect(decided[1][1]).toBe(decided[2][1]);
    expect(core.requestCount).toBe(3);
  });

  it("is refused when all its endpoints go meanwhile", () => {
    const { decided, step, arrive } = burstCore(1);
    arrive(0, 1000);
    step({ type: "endpointRemoved", atUs: 2000, id: "default/pod-0" });
    step({ type: "timePassed", atUs: 11_000 });
    expect(decided).toEqual([[0, "failed to find endpoint candidates for serving the request"]]);
  });

  it("replays to the same decisions, and none is left waiting, whenever requests come and go", () => {
    const op = fc.record({
      gapUs: fc.nat(6000),
      from: fc.nat(2),
      leaves: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(op, { maxLength: 25 }), (ops) => {
        const first = burstCore(3);
        let atUs = 0;
        for (const [i, { gapUs, from, leaves }] of ops.entries()) {
          atUs += gapUs;
          first.arrive(i, atUs, from * 1000);
          if (leaves) first.step({ type: "requestEnded", atUs, key: i, cause: "client-disconnect" });
        }
        first.step({ type: "timePassed", atUs: atUs + 10_000 });
        expect(first.core.nextDueAtUs()).toBeUndefined();
        expect(first.decided).toHaveLength(ops.filter(({ leaves }) => !leaves).length);
        const again = new Core({ env: { seed: 1, emit: () => undefined }, compile: compilePlan });
        for (const event of first.events) again.step(event);
        expect(again.decisionHash).toBe(first.core.decisionHash);
      }),
      { numRuns: 40 },
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { prefixMatchKey, uncachedTokensKey } from "../../core/data-key.ts";
import type { EndCause } from "../../core/events.ts";
import type { RequestFacts } from "../../core/request-facts.ts";
import type { RequestState } from "../../core/request-state.ts";
import { endpoint } from "../../core/test-support/test-plan.ts";
import { make, poolOf, requestOf, resultOf, targetOf } from "../test-support/fixture.ts";
import { InflightColumns } from "./inflight-columns.ts";
import { inflightLoadProducer } from "./inflight-load-producer.ts";

const CAUSES: readonly EndCause[] = ["natural", "client-disconnect", "evicted", "error"];

function scene(params: unknown = {}, pods = 3) {
  const endpoints = poolOf(Array.from({ length: pods }, () => ({})));
  const plugin = make(inflightLoadProducer, params, endpoints);
  const columns = new InflightColumns(endpoints, "inflight-load-producer");
  const load = () => [...endpoints.slots()].map((slot) => [columns.requests(slot), columns.tokens(slot)]);
  const request = (facts: Partial<RequestFacts> = { inputTokens: 100 }): RequestState => {
    const made = requestOf(endpoints, facts);
    plugin.produce(made);
    return made;
  };
  const pick = (made: RequestState, row: number, ...others: readonly [profile: string, row: number][]) => {
    const targets = [targetOf(made, row), ...others.map(([profile, at]) => targetOf(made, at, profile))];
    plugin.preRequest(made, resultOf(targets));
    return made;
  };
  const idle = () => load().every(([requests, tokens]) => requests === 0 && tokens === 0);
  return { endpoints, plugin, load, request, pick, idle };
}

describe("inflight-load-producer", () => {
  it("reserves at the pick, gives back tokens at the first byte and the request at the end", () => {
    const { plugin, load, request, pick } = scene();
    const made = pick(request(), 1);
    expect(load()).toEqual([
      [0, 0],
      [1, 100],
      [0, 0],
    ]);
    plugin.responseFirstByte(made);
    expect(load()).toEqual([
      [0, 0],
      [1, 0],
      [0, 0],
    ]);
    plugin.requestEnded(made, "natural", undefined);
    expect(load()).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  });

  it("keeps the tokens to the end when they hold the answer's", () => {
    const { plugin, load, request, pick, idle } = scene({ addEstimatedOutputTokens: true });
    const made = pick(request(), 0);
    expect(load()[0]).toEqual([1, 250]);
    plugin.responseFirstByte(made);
    expect(load()[0]).toEqual([1, 250]);
    plugin.requestEnded(made, "natural", undefined);
    expect(idle()).toBe(true);
  });

  it("tells flows of an endpoint on the metrics page until it goes", () => {
    const { endpoints, plugin, request, pick } = scene();
    pick(request(), 0);
    expect(plugin.gaugeRows().map(({ value }) => value)).toEqual([1, 100]);
    endpoints.remove(0);
    plugin.endpointRemoved(0);
    expect(plugin.gaugeRows()).toEqual([]);
  });

  it("keeps the load of others when an estimate goes beyond all numbers", () => {
    const { plugin, load, request, pick } = scene({ addEstimatedOutputTokens: true, outputRatio: 1e308 });
    pick(request(), 0);
    plugin.requestEnded(pick(request(), 0), "natural", undefined);
    expect(load()[0]).toEqual([1, 1_000_000_100]);
  });

  for (const addEstimatedOutputTokens of [false, true]) {
    it(`frees profile prefill wholly at the first byte (output estimated: ${addEstimatedOutputTokens})`, () => {
      const { plugin, load, request, pick, idle } = scene({ addEstimatedOutputTokens, outputRatio: 0 });
      const made = pick(request(), 0, ["prefill", 2]);
      expect(load()).toEqual([
        [1, 100],
        [0, 0],
        [1, 100],
      ]);
      plugin.responseFirstByte(made);
      expect(load()).toEqual([
        [1, addEstimatedOutputTokens ? 100 : 0],
        [0, 0],
        [0, 0],
      ]);
      plugin.requestEnded(made, "natural", undefined);
      expect(idle()).toBe(true);
    });
  }

  it("counts two profiles on one endpoint twice", () => {
    const { plugin, load, request, pick, idle } = scene();
    const made = pick(request(), 0, ["prefill", 0]);
    expect(load()[0]).toEqual([2, 200]);
    plugin.requestEnded(made, "error", undefined);
    expect(idle()).toBe(true);
  });

  it("takes off the cached prefix; a shorter last block counts as a whole one, a tail beyond the blocks as it is", () => {
    const { endpoints, plugin, load, pick } = scene();
    const made = requestOf(endpoints, { inputTokens: 700 });
    made.put(prefixMatchKey("approx-prefix-cache-producer"), {
      matchBlocks: Int32Array.of(0, 3, 9),
      totalBlocks: 9,
      blockSizeTokens: 64,
    });
    plugin.produce(made);
    expect([...made.get(uncachedTokensKey("inflight-load-producer"))!.tokens]).toEqual([
      9 * 64 + (700 - 576),
      6 * 64 + (700 - 576),
      700 - 576,
    ]);
    pick(made, 1);
    expect(load()[1]).toEqual([1, 508]);
    const short = requestOf(endpoints, { inputTokens: 70 });
    short.put(prefixMatchKey("approx-prefix-cache-producer"), {
      matchBlocks: Int32Array.of(1, 0, 2),
      totalBlocks: 2,
      blockSizeTokens: 64,
    });
    plugin.produce(short);
    expect([...short.get(uncachedTokensKey("inflight-load-producer"))!.tokens]).toEqual([64, 128, 0]);
  });

  const outputs: [string, unknown, Partial<RequestFacts>, number][] = [
    ["half rounds up", { outputRatio: 0.5 }, { inputTokens: 5 }, 5 + 3],
    ["the client's limit", {}, { inputTokens: 100, maxOutputTokens: 20 }, 120],
    ["a client's limit of 0", {}, { inputTokens: 100, maxOutputTokens: 0 }, 100],
    ["the operator's limit", { maxEstimatedOutputTokens: 5 }, { inputTokens: 100, maxOutputTokens: 20 }, 105],
    ["an operator's limit of 0", { maxEstimatedOutputTokens: 0 }, { inputTokens: 100 }, 100],
    ["no input, no output", {}, { inputTokens: 0 }, 0],
    ["not tokenised", {}, { inputTokens: -1 }, 0],
  ];
  for (const [what, params, facts, tokens] of outputs) {
    it(`estimates the answer: ${what}`, () => {
      const { load, request, pick } = scene({ addEstimatedOutputTokens: true, ...(params as object) });
      pick(request(facts), 0);
      expect(load()[0]).toEqual([1, tokens]);
    });
  }

  it("reserves also when it could not produce, since an earlier producer failed", () => {
    const { endpoints, load, pick } = scene();
    pick(requestOf(endpoints, { inputTokens: -1 }), 2);
    expect(load()[2]).toEqual([1, 0]);
  });

  it("moves what is reserved to the endpoint that really served", () => {
    const { plugin, load, request, pick, idle } = scene();
    const made = pick(request(), 0, ["prefill", 1]);
    plugin.moved(made, targetOf(made, 0), targetOf(made, 2));
    expect(load()).toEqual([
      [0, 0],
      [1, 100],
      [1, 100],
    ]);
    plugin.responseFirstByte(made);
    expect(load()).toEqual([
      [0, 0],
      [0, 0],
      [1, 0],
    ]);
    plugin.requestEnded(made, "natural", undefined);
    expect(idle()).toBe(true);
  });

  it("does not touch an endpoint that took the slot of the one that was picked", () => {
    const { endpoints, plugin, request, pick, load } = scene({}, 1);
    const old = pick(request(), 0);
    endpoints.remove(0);
    expect(endpoints.add(endpoint("new"))).toBe(0);
    const young = pick(request(), 0);
    plugin.responseFirstByte(old);
    plugin.requestEnded(old, "natural", undefined);
    expect(load()).toEqual([[1, 100]]);
    plugin.requestEnded(young, "natural", undefined);
    expect(load()).toEqual([[0, 0]]);
  });

  it("keeps its numbers over a reload of the config, and requests of the old plan end in the new one's numbers", () => {
    const { endpoints, plugin, request, pick, idle } = scene();
    const made = pick(request(), 0);
    const reloaded = make(inflightLoadProducer, {}, endpoints);
    pick(request(), 0);
    expect(new InflightColumns(endpoints, "inflight-load-producer").requests(0)).toBe(2);
    plugin.requestEnded(made, "natural", undefined);
    const later = requestOf(endpoints, { inputTokens: 5 });
    reloaded.preRequest(later, resultOf([targetOf(later, 0)]));
    reloaded.requestEnded(later, "natural", undefined);
    expect(new InflightColumns(endpoints, "inflight-load-producer").requests(0)).toBe(1);
    expect(idle()).toBe(false);
  });

  it("is back at what others have in flight after any mix of requests, first bytes, moves and ends", () => {
    const life = fc.record({
      row: fc.nat(3),
      prefill: fc.option(fc.nat(3)),
      inputTokens: fc.integer({ min: -1, max: 5000 }),
      firstByte: fc.boolean(),
      movedTo: fc.option(fc.nat(3)),
      cause: fc.constantFrom(...CAUSES),
    });
    fc.assert(
      fc.property(fc.array(life, { maxLength: 20 }), fc.boolean(), (lives, addEstimatedOutputTokens) => {
        const { plugin, request, pick, load } = scene({ addEstimatedOutputTokens }, 4);
        // Without these, what is given back twice would end at zero all the same.
        for (const row of [0, 1, 2, 3]) for (let i = 0; i < 25; i++) pick(request({ inputTokens: 10_000 }), row);
        const others = load();
        const open = lives.map((one) => ({
          one,
          made: pick(
            request({ inputTokens: one.inputTokens }),
            one.row,
            ...(one.prefill === null ? [] : [["prefill", one.prefill] as [string, number]]),
          ),
        }));
        for (const { one, made } of open) {
          if (one.movedTo !== null) plugin.moved(made, targetOf(made, one.row), targetOf(made, one.movedTo));
          if (one.firstByte) plugin.responseFirstByte(made);
        }
        expect(
          load()
            .flat()
            .every((value) => value >= 0),
        ).toBe(true);
        for (const { one, made } of open.toReversed()) {
          plugin.requestEnded(made, one.cause, undefined);
          plugin.requestEnded(made, one.cause, undefined);
        }
        expect(load()).toEqual(others);
      }),
    );
  });
});

describe("inflight-load-producer, parameters", () => {
  for (const params of [{ outputRatio: -1 }, { maxEstimatedOutputTokens: -1 }, { addEstimatedOutputTokens: "yes" }]) {
    it(`refuses ${JSON.stringify(params)}`, () => {
      expect(inflightLoadProducer.params.safeParse(params).success).toBe(false);
    });
  }
});

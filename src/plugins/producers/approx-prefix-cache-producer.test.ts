import { describe, expect, it } from "vitest";
import { blockIds, chainBlocks, chainRoot } from "../../core/block-ids.ts";
import { prefixMatchKey } from "../../core/data-key.ts";
import type { Endpoints } from "../../core/endpoints.ts";
import type { RequestFacts } from "../../core/request-facts.ts";
import type { RequestState } from "../../core/request-state.ts";
import { endpoint } from "../../core/test-support/test-plan.ts";
import { xxh64 } from "../../core/xxh64.ts";
import { prefixCacheScorer } from "../scorers/prefix-cache-scorer.ts";
import type { Signals } from "../test-support/fixture.ts";
import { make, poolOf, requestOf, resultOf, scoresOf, targetOf } from "../test-support/fixture.ts";
import { approxPrefixCacheProducer } from "./approx-prefix-cache-producer.ts";

const key = prefixMatchKey("approx-prefix-cache-producer");

/** Tokens that are the same wherever two prompts agree. */
const prompt = (tokens: number, from = 0) => ({
  bytes: new Uint8Array(Uint32Array.from({ length: tokens }, (_, i) => from + i).buffer),
});

const factsOf = (prompts: readonly { bytes: Uint8Array }[], sizes: readonly number[] = [64]): Partial<RequestFacts> =>
  blockIds(prompts, sizes);

/** A pool with its producer, and a request played through it. */
function scene(pods: readonly (Signals | null)[], params: unknown = {}) {
  const endpoints = poolOf(pods);
  const plugin = make(approxPrefixCacheProducer, params, endpoints);
  const send = (facts: Partial<RequestFacts>, row?: number, prefillRow?: number): RequestState => {
    const request = requestOf(endpoints, facts);
    expect(plugin.produce(request)).toBeUndefined();
    if (row !== undefined) {
      const targets = [targetOf(request, row)];
      if (prefillRow !== undefined) targets.push(targetOf(request, prefillRow, "prefill"));
      plugin.preRequest(request, resultOf(targets));
    }
    return request;
  };
  const matched = (facts: Partial<RequestFacts>) => {
    const match = send(facts).get(key)!;
    return { blocks: [...match.matchBlocks], total: match.totalBlocks, size: match.blockSizeTokens };
  };
  return { endpoints, plugin, send, matched };
}

const slotOf = (endpoints: Endpoints, name: string) => endpoints.slotOf(`default/${name}`);

describe("approx-prefix-cache-producer", () => {
  it("counts the blocks of a prompt, the shorter last one included, and none held at first", () => {
    const { matched } = scene([{}, {}]);
    expect(matched(factsOf([prompt(130)]))).toEqual({ blocks: [0, 0], total: 3, size: 64 });
  });

  it("trap 2: cuts blocks of 64 tokens when told of 16, keeps a shorter last one, hashes ids before what came before", () => {
    const { plugin, send, matched } = scene([{}], { autoTune: false, blockSizeTokens: 16 });
    expect(plugin.blockSizesTokens()).toEqual([64]);
    expect(matched(factsOf([prompt(65)]))).toEqual({ blocks: [0], total: 2, size: 64 });
    send(factsOf([prompt(65)]), 0);
    expect(matched(factsOf([prompt(65)])).blocks).toEqual([2]);
    // The shorter block is one of its own: what goes on behind it is another block.
    expect(matched(factsOf([prompt(66)])).blocks).toEqual([1]);
    const root = chainRoot("m", "");
    const [{ ids }] = blockIds([prompt(4, 1)], [2]).blocks[0].prompts;
    const [first, second] = [new Uint32Array(2), new Uint32Array(4)];
    xxh64(new Uint8Array(Uint32Array.of(ids[0], ids[1], root[0], root[1]).buffer), 0, 16, first, 0);
    chainBlocks(root, ids, 2, second, 0);
    expect([...second.subarray(0, 2)]).toEqual([...first]);
    expect(second[1].toString(16) + second[0].toString(16)).toBe("bdeada2071943583");
  });

  it("trap 4: a score is matched blocks of all, the shorter last one counting as one, and 0 without tokens", () => {
    const { endpoints, send } = scene([{}, {}]);
    const scorer = make(prefixCacheScorer, {}, endpoints);
    send(factsOf([prompt(128)]), 0);
    expect(scoresOf(scorer, send(factsOf([prompt(129)])))).toEqual([2 / 3, 0]);
    expect(scoresOf(scorer, send(factsOf([prompt(128)])))).toEqual([1, 0]);
    expect(scoresOf(scorer, send({ inputTokens: 0 }))).toEqual([0, 0]);
  });

  it("matches what went to an endpoint, up to where the prompts part", () => {
    const { send, matched } = scene([{}, {}]);
    send(factsOf([prompt(256)]), 1);
    expect(matched(factsOf([prompt(256)])).blocks).toEqual([0, 4]);
    expect(matched(factsOf([prompt(200)])).blocks).toEqual([0, 3]);
    expect(matched(factsOf([prompt(512)])).blocks).toEqual([0, 4]);
    expect(matched(factsOf([prompt(256, 1)])).blocks).toEqual([0, 0]);
  });

  it("trap 3: counts each hash for every endpoint that holds it, contiguous or not, until one that nobody holds", () => {
    // pod-0 has forgotten the first of three blocks; pod-1 holds them all, so that the walk goes on.
    const { send, matched } = scene([{ blockCount: 3 }, {}]);
    send(factsOf([prompt(64 * 3)]), 0);
    send(factsOf([prompt(64, 500)]), 0);
    expect(matched(factsOf([prompt(64 * 3)])).blocks).toEqual([0, 0]);
    send(factsOf([prompt(64 * 3)]), 1);
    expect(matched(factsOf([prompt(64 * 3)])).blocks).toEqual([2, 3]);
  });

  it("adds up prompts", () => {
    const { send, matched } = scene([{}, {}]);
    send(factsOf([prompt(128), prompt(64, 1000)]), 0);
    expect(matched(factsOf([prompt(128), prompt(64, 1000), prompt(64, 2000)]))).toEqual({
      blocks: [3, 0],
      total: 4,
      size: 64,
    });
  });

  it("keeps models and salts apart", () => {
    const { send, matched } = scene([{}]);
    const same = factsOf([prompt(64)]);
    send({ ...same, model: "a" }, 0);
    expect(matched({ ...same, model: "a" }).blocks).toEqual([1]);
    expect(matched({ ...same, model: "b" }).blocks).toEqual([0]);
    expect(matched({ ...same, model: "a", cacheSalt: "s" }).blocks).toEqual([0]);
  });

  it("notes the pick of profile prefill too", () => {
    const { send, matched } = scene([{}, {}, {}]);
    send(factsOf([prompt(64)]), 0, 2);
    expect(matched(factsOf([prompt(64)])).blocks).toEqual([1, 0, 1]);
  });

  it("notes no pick of another profile", () => {
    const { plugin, send, matched } = scene([{}, {}]);
    const request = send(factsOf([prompt(64)]));
    const targets = [targetOf(request, 0), targetOf(request, 1, "encode")];
    plugin.preRequest(request, resultOf(targets));
    expect(matched(factsOf([prompt(64)])).blocks).toEqual([1, 0]);
  });

  it("notes nothing before the pick", () => {
    const { send, matched } = scene([{}]);
    send(factsOf([prompt(64)]));
    expect(matched(factsOf([prompt(64)])).blocks).toEqual([0]);
  });

  it("notes the endpoint that really served, until the answer begins", () => {
    const { plugin, send, matched } = scene([{}, {}]);
    const request = send(factsOf([prompt(64)]), 0);
    plugin.moved(request, targetOf(request, 0), targetOf(request, 1));
    expect(matched(factsOf([prompt(64)])).blocks).toEqual([1, 1]);
    const late = send(factsOf([prompt(64, 700)]), 0);
    plugin.responseStarted(late);
    plugin.moved(late, targetOf(late, 0), targetOf(late, 1));
    expect(matched(factsOf([prompt(64, 700)])).blocks).toEqual([1, 0]);
  });

  it("forgets an endpoint that is gone, also when its slot is used again", () => {
    const { endpoints, plugin, send, matched } = scene([{}, {}]);
    send(factsOf([prompt(64)]), 0);
    const slot = slotOf(endpoints, "pod-0");
    plugin.endpointRemoved(slot);
    endpoints.remove(slot);
    expect(endpoints.add(endpoint("new"))).toBe(slot);
    expect(matched(factsOf([prompt(64)])).blocks).toEqual([0, 0]);
  });

  it("gives a request without tokens 0 blocks, and one that was not tokenised nothing", () => {
    const { send } = scene([{}]);
    expect(send({ inputTokens: 0 }).get(key)).toMatchObject({ totalBlocks: 0 });
    expect(send({ inputTokens: -1 }, 0).get(key)).toBeUndefined();
  });
});

describe("approx-prefix-cache-producer, block size", () => {
  const table: [string, unknown, Signals, number][] = [
    ["16 is raised to 64", {}, {}, 64],
    ["that of the first candidate's server", {}, { blockSizeTokens: 128 }, 128],
    ["one below 64 is raised", {}, { blockSizeTokens: 16 }, 64],
    [
      "without autoTune the server's does not count",
      { autoTune: false, blockSizeTokens: 96 },
      { blockSizeTokens: 128 },
      96,
    ],
    ["with it the own one counts when the server tells none", { blockSizeTokens: 96 }, {}, 96],
    ["the older name counts", { blockSize: 70 }, {}, 70],
    ["but not over the newer one", { blockSize: 70, blockSizeTokens: 256 }, {}, 256],
    ["a negative one is raised", { blockSizeTokens: -1 }, {}, 64],
    ["one that no server can have counts as none", { blockSizeTokens: 96 }, { blockSizeTokens: 1e18 }, 96],
  ];
  for (const [what, params, signals, size] of table) {
    it(`${what}: ${size}`, () => {
      const { plugin, matched } = scene([signals, {}], params);
      expect(matched(factsOf([prompt(600)], [size]))).toMatchObject({ size, total: Math.ceil(600 / size) });
      expect(plugin.blockSizesTokens()).toContain(size);
    });
  }

  it("is that of the first candidate, not of the first endpoint", () => {
    const { endpoints, plugin } = scene([{ blockSizeTokens: 128 }, { blockSizeTokens: 256 }]);
    const request = requestOf(endpoints, factsOf([prompt(600)], [128, 256]), Int32Array.of(1, 0));
    plugin.produce(request);
    expect(request.get(key)).toMatchObject({ blockSizeTokens: 256, totalBlocks: 3 });
  });

  it("foresees the sizes of all servers, at most 8, and of none that has gone", () => {
    const { endpoints, plugin } = scene([{ blockSizeTokens: 128 }, { blockSizeTokens: 256 }]);
    endpoints.remove(0);
    expect(plugin.blockSizesTokens()).toEqual([256]);
    expect(scene([{ blockSizeTokens: 128 }, {}, { blockSizeTokens: 128 }]).plugin.blockSizesTokens()).toEqual([
      128, 64,
    ]);
    const many = Array.from({ length: 20 }, (_, i) => ({ blockSizeTokens: 100 + i }));
    expect(scene(many).plugin.blockSizesTokens()).toHaveLength(8);
  });

  it("asks for a size that the facts lack, and goes on with the answer", () => {
    const { plugin, endpoints, matched } = scene([{ blockSizeTokens: 128 }]);
    const request = requestOf(endpoints, factsOf([prompt(300)], [64]));
    expect(plugin.produce(request)).toEqual({ kind: "blockIds", payload: { blockSizeTokens: 128 } });
    const [{ prompts }] = blockIds([prompt(300)], [128]).blocks;
    expect(plugin.resume(request, { prompts: prompts.map(({ tokens, ids }) => ({ tokens, ids })) })).toBeUndefined();
    plugin.preRequest(request, resultOf([targetOf(request, 0)]));
    expect(matched(factsOf([prompt(300)], [128]))).toEqual({ blocks: [3], total: 3, size: 128 });
  });

  for (const answer of [null, 7, {}, { prompts: 3 }, { prompts: [{ tokens: 1, ids: [1, 2] }] }]) {
    it(`fails when the answer is ${JSON.stringify(answer)}`, () => {
      const { plugin, endpoints } = scene([{ blockSizeTokens: 128 }]);
      const request = requestOf(endpoints, factsOf([prompt(300)], [64]));
      plugin.produce(request);
      expect(plugin.resume(request, answer)).toBe("no block ids of 128 tokens came in time");
      plugin.preRequest(request, resultOf([targetOf(request, 0)]));
      expect(plugin.gauges().prefix_indexer_size).toBe(0);
    });
  }
});

describe("approx-prefix-cache-producer, limits", () => {
  const table: [unknown, number][] = [
    [{}, 10],
    [{ maxPrefixTokensToMatch: 200 }, 3],
    [{ maxPrefixTokensToMatch: 32 }, 0],
    [{ maxPrefixTokensToMatch: 0 }, 10],
    [{ maxPrefixTokensToMatch: 0, maxPrefixBlocksToMatch: 2 }, 2],
    [{ maxPrefixTokensToMatch: 0, maxPrefixBlocksToMatch: 0 }, 10],
    [{ maxPrefixTokensToMatch: 640, maxPrefixBlocksToMatch: 2 }, 10],
  ];
  for (const [params, total] of table) {
    it(`${JSON.stringify(params)}: ${total} of 10 blocks of each prompt`, () => {
      const { matched } = scene([{}], params);
      expect(matched(factsOf([prompt(640), prompt(640, 9000)])).total).toBe(2 * total);
    });
  }

  it("remembers as many blocks of an endpoint as its server has, or as the config says", () => {
    const remembered = (params: unknown, signals: Signals) => {
      const { plugin, send } = scene([signals], params);
      for (let i = 0; i < 10; i++) send(factsOf([prompt(64, 1000 * i)]), 0);
      return plugin.gauges().prefix_indexer_size;
    };
    expect(remembered({}, {})).toBe(10);
    expect(remembered({}, { blockCount: 4 })).toBe(4);
    expect(remembered({ lruCapacityPerServer: 3 }, { blockCount: 4 })).toBe(4);
    expect(remembered({ lruCapacityPerServer: 3 }, {})).toBe(3);
    expect(remembered({ lruCapacityPerServer: 3, autoTune: false }, { blockCount: 4 })).toBe(3);
    expect(remembered({ lruCapacityPerServer: -1 }, {})).toBe(10);
    expect(remembered({}, { blockCount: 2 ** 32 })).toBe(10);
    expect(remembered({ lruCapacityPerServer: 2 ** 31 }, {})).toBe(10);
  });

  it("holds the index within its bytes", () => {
    const endpoints = poolOf([{}]);
    const plugin = make(approxPrefixCacheProducer, {}, endpoints, { prefixIndexBytesMax: 1000 });
    const request = requestOf(endpoints, factsOf([prompt(64 * 100)]));
    plugin.produce(request);
    plugin.preRequest(request, resultOf([targetOf(request, 0)]));
    const { prefix_indexer_size: size, prefix_indexer_limit_evictions: evictions } = plugin.gauges();
    expect(size).toBe(Math.floor(1000 / 45));
    expect(evictions).toBe(100 - size);
  });
});

describe("approx-prefix-cache-producer, parameters", () => {
  const accepted = [{ blockSizeTokens: -1 }, { lruCapacityPerServer: -1 }, { autoTune: true, blockSizeTokens: 0 }];
  for (const params of accepted) {
    it(`takes ${JSON.stringify(params)}`, () => {
      expect(approxPrefixCacheProducer.params.safeParse(params).success).toBe(true);
    });
  }
  const refused = [
    { autoTune: false, blockSizeTokens: 0 },
    { maxPrefixTokensToMatch: -1 },
    { blockSizeTokens: "64" },
    { blockSizeTokens: 64.5 },
    { hashBlockSize: 64 },
  ];
  for (const params of refused) {
    it(`refuses ${JSON.stringify(params)}`, () => {
      expect(approxPrefixCacheProducer.params.safeParse(params).success).toBe(false);
    });
  }
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePlan } from "../../config/compile-plan.ts";
import { blockIds } from "../../core/block-ids.ts";
import { Core } from "../../core/core.ts";
import { prefixMatchKey } from "../../core/data-key.ts";
import type { Decision } from "../../core/decision.ts";
import { endpoint, facts } from "../../core/test-support/test-plan.ts";
import type { Signals } from "../test-support/fixture.ts";
import { make, poolOf, requestOf, resultOf, targetOf } from "../test-support/fixture.ts";
import { p2pSourceProducer } from "./p2p-source-producer.ts";

const HEADER = "x-kv-cache-source-host-port";
const BLOCK = 64;

interface Pod extends Signals {
  readonly blocks: number;
  readonly cpuBlocks?: number;
}

/** What a request gets that the given row computes, or the prefill row: the source's pod, or undefined. */
function sourceOf(
  pods: readonly Pod[],
  picks: { readonly row: number; readonly prefillRow?: number; readonly profile?: string },
  { params = {}, requestId = "r", order }: { params?: object; requestId?: string; order?: readonly number[] } = {},
): string | undefined {
  const endpoints = poolOf(pods);
  const plugin = make(p2pSourceProducer, params, endpoints);
  const slots = Int32Array.from(order ?? pods.keys());
  const request = requestOf(endpoints, { requestId, headers: { [HEADER]: "10.9.9.9:1" } }, slots);
  const column = (of: (pod: Pod) => number) => Int32Array.from(slots, (slot) => of(pods[slot]));
  request.put(prefixMatchKey("approx-prefix-cache-producer"), {
    matchBlocks: column(({ blocks }) => blocks),
    ...(pods.some(({ cpuBlocks }) => cpuBlocks !== undefined) && { cpuBlocks: column((pod) => pod.cpuBlocks ?? 0) }),
    totalBlocks: 100,
    blockSizeTokens: BLOCK,
  });
  expect(plugin.produce(request)).toBeUndefined();
  const rowOf = (slot: number) => slots.indexOf(slot);
  const targets = [targetOf(request, rowOf(picks.row))];
  if (picks.prefillRow !== undefined)
    targets.push(targetOf(request, rowOf(picks.prefillRow), picks.profile ?? "prefill"));
  plugin.preRequest(request, resultOf(targets));
  const header = request.header(HEADER);
  const pod = pods.findIndex((_, slot) => endpoints.target[slot] === header);
  expect(header === undefined).toBe(pod < 0);
  return pod < 0 ? undefined : `pod-${pod}`;
}

describe("p2p-source-producer", () => {
  const table: [string, Pod[], Parameters<typeof sourceOf>[1], Parameters<typeof sourceOf>[2], string | undefined][] = [
    ["names who has most of the prompt", [{ blocks: 0 }, { blocks: 5 }, { blocks: 2 }], { row: 0 }, {}, "pod-1"],
    ["names nobody when the computing pod has as much", [{ blocks: 5 }, { blocks: 5 }], { row: 0 }, {}, undefined],
    ["nor when it is the source itself", [{ blocks: 5 }, { blocks: 1 }], { row: 0 }, {}, undefined],
    ["nor when nobody has anything", [{ blocks: 0 }, { blocks: 0 }], { row: 0 }, {}, undefined],
    [
      "takes the prefill pod for the computing one",
      [{ blocks: 9 }, { blocks: 3 }],
      { row: 0, prefillRow: 1 },
      {},
      "pod-0",
    ],
    ["so that it may be the source", [{ blocks: 3 }, { blocks: 9 }], { row: 0, prefillRow: 1 }, {}, undefined],
    [
      "by the configured profile",
      [{ blocks: 9 }, { blocks: 3 }],
      { row: 0, prefillRow: 1, profile: "p" },
      { params: { prefillProfileName: "p" } },
      "pod-0",
    ],
    ["and by no other", [{ blocks: 9 }, { blocks: 3 }], { row: 0, prefillRow: 1, profile: "encode" }, {}, undefined],
    [
      "wants so many tokens more",
      [{ blocks: 1 }, { blocks: 3 }],
      { row: 0 },
      { params: { minCachedTokenDelta: 128 } },
      "pod-1",
    ],
    ["and no fewer", [{ blocks: 1 }, { blocks: 3 }], { row: 0 }, { params: { minCachedTokenDelta: 129 } }, undefined],
    [
      "counts what a source has in CPU memory",
      [{ blocks: 0 }, { blocks: 9, cpuBlocks: 1 }, { blocks: 4, cpuBlocks: 4 }],
      { row: 0 },
      {},
      "pod-2",
    ],
    [
      "and all of what the computing pod has",
      [
        { blocks: 9, cpuBlocks: 0 },
        { blocks: 4, cpuBlocks: 4 },
      ],
      { row: 0 },
      {},
      undefined,
    ],
    [
      "takes no data for nothing cached",
      [{ blocks: 0 }],
      { row: 0 },
      { params: { prefixMatchInfoProducerName: "other" } },
      undefined,
    ],
  ];
  for (const [what, pods, picks, options, expected] of table) {
    it(what, () => {
      expect(sourceOf(pods, picks, options)).toBe(expected);
    });
  }

  it("draws by the request's id, of those within a block of the most, by empty queues first", () => {
    // FNV-1a-32 of "a" is e40c292c: 0.891 of 2^32; of "" 811c9dc5: 0.504.
    const pods = (waiting: number): Pod[] => [{ blocks: 0 }, { blocks: 4, waiting }, { blocks: 5 }, { blocks: 3 }];
    expect(sourceOf(pods(0), { row: 0 }, { requestId: "a" })).toBe("pod-2");
    expect(sourceOf(pods(0), { row: 0 }, { requestId: "" })).toBe("pod-2");
    const threeAlike: Pod[] = [{ blocks: 0 }, { blocks: 5 }, { blocks: 5 }, { blocks: 5 }];
    expect(sourceOf(threeAlike, { row: 0 }, { requestId: "a" })).toBe("pod-3");
    expect(sourceOf(threeAlike, { row: 0 }, { requestId: "" })).toBe("pod-2");
    // Weights 1 and 1/10: 0.504 of 1.1 lies in the first.
    const busy: Pod[] = [{ blocks: 0 }, { blocks: 5 }, { blocks: 5, waiting: 9 }];
    expect(sourceOf(busy, { row: 0 }, { requestId: "" })).toBe("pod-1");
  });

  it("takes a queue that is no number, or below 0, for an empty one", () => {
    for (const waiting of [Number.NaN, -5, Number.NEGATIVE_INFINITY]) {
      const pods: Pod[] = [{ blocks: 0 }, { blocks: 5, waiting }, { blocks: 5, waiting: 0 }];
      expect(sourceOf(pods, { row: 0 }, { requestId: "" })).toBe("pod-2");
    }
    const never: Pod[] = [{ blocks: 0 }, { blocks: 5, waiting: Number.POSITIVE_INFINITY }, { blocks: 5 }];
    expect(sourceOf(never, { row: 0 }, { requestId: "" })).toBe("pod-2");
  });

  it("names no source that has gone since, also when its slot is used again", () => {
    const endpoints = poolOf([{}, {}]);
    const plugin = make(p2pSourceProducer, {}, endpoints);
    const request = requestOf(endpoints);
    const matchBlocks = Int32Array.of(0, 5);
    request.put(prefixMatchKey("approx-prefix-cache-producer"), { matchBlocks, totalBlocks: 5, blockSizeTokens: 64 });
    plugin.produce(request);
    endpoints.remove(1);
    endpoints.add(endpoint("new"));
    plugin.preRequest(request, resultOf([targetOf(request, 0)]));
    expect(request.header(HEADER)).toBeUndefined();
  });

  it("equals the words of its formula, in any order of candidates", () => {
    const pod = fc.record({ blocks: fc.nat(4), waiting: fc.nat(5) });
    const pods = fc.array(pod, { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(pods, fc.string({ unit: "grapheme" }), fc.infiniteStream(fc.nat()), (some, requestId, stream) => {
        const keys = some.map(() => stream.next().value as number);
        const order = [...some.keys()].sort((a, b) => keys[a] - keys[b] || a - b);
        let hash = 0x811c9dc5n;
        for (const byte of Buffer.from(requestId)) hash = ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffff_ffffn;
        const most = Math.max(...some.map(({ blocks }) => blocks));
        const band = some.flatMap(({ blocks, waiting }, i) =>
          blocks > 0 && blocks + 1 >= most ? [{ i, blocks, weight: 1 / (1 + waiting) }] : [],
        );
        let left = (Number(hash) / 2 ** 32) * band.reduce((sum, { weight }) => sum + weight, 0);
        const drawn = band.find(({ weight }) => left < weight || ((left -= weight), false)) ?? band.at(-1);
        const isWorth = drawn !== undefined && drawn.i !== 0 && drawn.blocks > some[0].blocks;
        expect(sourceOf(some, { row: 0 }, { requestId, order })).toBe(isWorth ? `pod-${drawn.i}` : undefined);
      }),
    );
  });

  it("finds one of 1,000", () => {
    const pods: Pod[] = Array.from({ length: 1000 }, (_, i) => ({ blocks: i === 777 ? 9 : i % 7 }));
    expect(sourceOf(pods, { row: 0 })).toBe("pod-777");
  });

  it.each([{ minCachedTokenDelta: 0 }, { minCachedTokenDelta: 1.5 }, { prefillProfileName: 5 }, { blockSize: 1 }])(
    "refuses %j",
    (params) => {
      expect(p2pSourceProducer.params.safeParse(params).success).toBe(false);
    },
  );

  it("tells the side-car where the prefix went before, and leaves out what the client says", () => {
    const decisions: Decision[] = [];
    const core = new Core({
      env: { seed: 1, emit: (notice) => void (notice.type === "decision" && decisions.push(notice.decision)) },
      compile: compilePlan,
    });
    const text = "plugins: [{type: p2p-source-producer}, {type: queue-scorer}]";
    core.step({ type: "configLoaded", atUs: 0, source: { text, options: { "allow-experimental-plugins": true } } });
    const busy = (slot: number) =>
      core.step({
        type: "signals",
        atUs: 0,
        rows: [0, 1].map((i) => ({
          slot: i,
          generation: core.endpoints.generation[i],
          waiting: i === slot ? 9 : 0,
        })),
      });
    for (const i of [0, 1])
      core.step({ type: "endpointUpserted", atUs: 0, endpoint: endpoint(`pod-${i}`, `10.0.0.${i}`) });
    const blocks = blockIds([{ bytes: new Uint8Array(4 * 640) }], [64]);
    const headers = { [HEADER]: "10.9.9.9:1" };
    for (const key of [0, 1]) {
      busy(key);
      core.step({ type: "requestArrived", atUs: 0, facts: facts(key, { ...blocks, headers }) });
    }
    expect(decisions.map((one) => one.headers.get(HEADER))).toEqual([undefined, "10.0.0.1:8000"]);
    expect(decisions[0].headers.has(HEADER)).toBe(true);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LoraSignal } from "../../core/events.ts";
import type { PluginDefinition } from "../../core/plugin.ts";
import type { Signals } from "../test-support/fixture.ts";
import { keptBy, make, poolOf, requestOf } from "../test-support/fixture.ts";
import { leastKvCacheFilter } from "./least-kv-cache-filter.ts";
import { leastQueueFilter } from "./least-queue-filter.ts";
import { loraAffinityFilter } from "./lora-affinity-filter.ts";
import { lowQueueFilter } from "./low-queue-filter.ts";

function kept(definition: PluginDefinition, params: object, signals: readonly (Signals | null)[]): number[] {
  const endpoints = poolOf(signals);
  return keptBy(make(definition, params, endpoints), requestOf(endpoints));
}

const waiting = (...queues: readonly (number | null)[]) => queues.map((n) => (n === null ? null : { waiting: n }));
const kv = (...uses: readonly (number | null)[]) => uses.map((n) => (n === null ? null : { kvUsage: n }));

describe("low-queue-filter", () => {
  const table: readonly (readonly [string, object, readonly (number | null)[], readonly number[]])[] = [
    ["queues up to the threshold", { threshold: 5 }, [4, 5, 6], [0, 1]],
    ["128 by default", {}, [128, 129], [0]],
    ["a queue never seen", { threshold: 0 }, [null, 1], [0]],
    ["none below 0", { threshold: -1 }, [0, 1], []],
  ];
  it.each(table)("keeps %s", (_, params, queues, places) => {
    expect(kept(lowQueueFilter, params, waiting(...queues))).toEqual(places);
  });

  it.each([1.5, "5", null, Number.NaN])("refuses a threshold of %s", (threshold) => {
    expect(lowQueueFilter.params.safeParse({ threshold }).success).toBe(false);
  });
});

describe("least-queue-filter", () => {
  const table: readonly (readonly [readonly (number | null)[], readonly number[]])[] = [
    [
      [0, 3, 10],
      [0, 1],
    ],
    [[0, 4, 10], [0]],
    [[7], [0]],
    [
      [5, 5, 5],
      [0, 1, 2],
    ],
    [[null, 3, 4], [0]],
    // As in GIE 0.5, the greatest is not below 0.
    [
      [-4, -2],
      [0, 1],
    ],
    // The range is 1 wide: 5 / 3 is cut to a whole number.
    [
      [1, 2, 6],
      [0, 1],
    ],
  ];
  it.each(table)("of %j keeps %j", (queues, places) => {
    expect(kept(leastQueueFilter, {}, waiting(...queues))).toEqual(places);
  });
});

describe("least-kv-cache-filter", () => {
  const table: readonly (readonly [readonly (number | null)[], readonly number[]])[] = [
    [
      [0, 0.3, 1],
      [0, 1],
    ],
    [
      [0.5, 0.4, 0.9],
      [0, 1],
    ],
    [[0.9], [0]],
    [[null, 0.5], [0]],
    [
      [0.2, 0.2],
      [0, 1],
    ],
  ];
  it.each(table)("of %j keeps %j", (uses, places) => {
    expect(kept(leastKvCacheFilter, {}, kv(...uses))).toEqual(places);
  });

  it("keeps the lowest of any list, and nothing above those that it keeps", () => {
    const use = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(use, { minLength: 1, maxLength: 40 }), (uses) => {
        const places = kept(leastKvCacheFilter, {}, kv(...uses));
        const greatest = Math.max(...places.map((i) => uses[i]));
        expect(places).toEqual(uses.flatMap((value, i) => (value <= greatest ? [i] : [])));
        expect(places.map((i) => uses[i])).toContain(Math.min(...uses));
      }),
    );
  });
});

describe("lora-affinity-filter", () => {
  const lora = (active: readonly string[], more: readonly string[] = [], max = 2): { lora: LoraSignal } => ({
    lora: { active, waiting: more, max },
  });
  const table: readonly (readonly [string, number, readonly (Signals | null)[], readonly number[]])[] = [
    ["where it runs or waits", 1, [lora(["m"]), lora(["x"], ["m"]), lora(["x"])], [0, 1]],
    ["where there is room, with a threshold of 0", 0, [lora(["m"]), lora(["x"]), lora(["x"], ["y"])], [1]],
    ["where it runs when nobody has room", 0, [lora(["m"]), lora(["x", "y"])], [0]],
    ["where there is room when it runs nowhere", 1, [lora(["x", "y"]), lora(["x"]), lora([])], [1, 2]],
    ["none where it is nowhere and there is no room", 0.5, [lora(["x", "y"]), lora([], [], 0)], []],
    ["none that tells nothing of adapters", 0.5, [{}, null], []],
  ];
  it.each(table)("keeps endpoints %s", (_, threshold, signals, places) => {
    expect(kept(loraAffinityFilter, { threshold }, signals)).toEqual(places);
  });

  it("sends a share of 1 - threshold where there is room: chi-square over 10^5 seeded requests", () => {
    const endpoints = poolOf([lora(["m"]), lora([])]);
    const filter = make(loraAffinityFilter, { threshold: 0.75 }, endpoints);
    const requests = 100_000;
    let affine = 0;
    for (let key = 0; key < requests; key++) if (keptBy(filter, requestOf(endpoints, { key }))[0] === 0) affine++;
    const expected = requests * 0.75;
    const chiSquare = (affine - expected) ** 2 / expected + (expected - affine) ** 2 / (requests - expected);
    // One degree of freedom: above 10.8 in one of 1000.
    expect(chiSquare).toBeLessThan(10.8);
  });

  it("sends one of 1000 elsewhere by default", () => {
    expect(loraAffinityFilter.params.parse({})).toEqual({ threshold: 0.999 });
  });

  it.each(["0.9", null, Number.NaN, Number.POSITIVE_INFINITY])("refuses a threshold of %s", (threshold) => {
    expect(loraAffinityFilter.params.safeParse({ threshold }).success).toBe(false);
  });
});

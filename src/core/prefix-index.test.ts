import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PrefixIndex } from "./prefix-index.ts";

/** The stock indexer as a page of Maps: what the flat one must equal while the memory limit does not bite. */
class Oracle {
  readonly sets = new Map<number, Set<number>>();
  readonly lrus = new Map<number, { capacity: number; order: Map<number, true> }>();

  add(slot: number, hashes: readonly number[], capacity: number): void {
    const lru = this.lrus.get(slot) ?? { capacity, order: new Map<number, true>() };
    this.lrus.set(slot, lru);
    for (const h of hashes) {
      lru.order.delete(h);
      lru.order.set(h, true);
      if (lru.order.size > lru.capacity) {
        const oldest = lru.order.keys().next().value!;
        lru.order.delete(oldest);
        const set = this.sets.get(oldest);
        set?.delete(slot);
        if (set?.size === 0) this.sets.delete(oldest);
      }
    }
    for (const h of hashes) this.sets.set(h, (this.sets.get(h) ?? new Set()).add(slot));
  }

  match(hashes: readonly number[], counts: Int32Array): number {
    for (const [i, h] of hashes.entries()) {
      const set = this.sets.get(h);
      if (!set) return i;
      for (const slot of set) counts[slot]++;
    }
    return hashes.length;
  }

  removeSlot(slot: number): void {
    this.lrus.delete(slot);
    for (const [h, set] of this.sets) if (set.delete(slot) && set.size === 0) this.sets.delete(h);
  }
}

/** The same with the memory limit, as one list of entries, the oldest first. */
class LimitedOracle {
  entries: { readonly h: number; readonly slot: number; inLru: boolean }[] = [];
  readonly capacities = new Map<number, number>();
  readonly entriesMax: number;
  evictions = 0;

  constructor(entriesMax: number) {
    this.entriesMax = entriesMax;
  }

  add(slot: number, hashes: readonly number[], first: number): void {
    const capacity = this.capacities.get(slot) ?? first;
    this.capacities.set(slot, capacity);
    const find = (h: number) => this.entries.findIndex((entry) => entry.h === h && entry.slot === slot);
    for (const h of hashes) {
      const known = find(h);
      if (known >= 0) this.entries.splice(known, 1);
      this.#push({ h, slot, inLru: true });
      const own = this.entries.filter((entry) => entry.slot === slot && entry.inLru);
      if (own.length > capacity) this.entries.splice(this.entries.indexOf(own[0]), 1);
    }
    if (hashes.length <= capacity) return;
    for (const h of hashes) if (find(h) < 0) this.#push({ h, slot, inLru: false });
  }

  match(hashes: readonly number[], counts: Int32Array): number {
    for (const [i, h] of hashes.entries()) {
      const holders = this.entries.filter((entry) => entry.h === h);
      if (holders.length === 0) return i;
      for (const { slot } of holders) counts[slot]++;
    }
    return hashes.length;
  }

  removeSlot(slot: number): void {
    this.capacities.delete(slot);
    this.entries = this.entries.filter((entry) => entry.slot !== slot);
  }

  #push(entry: { readonly h: number; readonly slot: number; inLru: boolean }): void {
    if (this.entries.length === this.entriesMax) {
      this.entries.shift();
      this.evictions++;
    }
    this.entries.push(entry);
  }
}

// Few distinct low halves, so that hashes collide in the table.
const pairs = (hashes: readonly number[]) => Uint32Array.from(hashes.flatMap((h) => [h % 3, h]));

const slots = fc.integer({ min: 0, max: 40 });
const hashes = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 30 });
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant("add" as const),
      slot: slots,
      hashes,
      capacity: fc.integer({ min: 1, max: 25 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("match" as const), hashes }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("remove" as const), slot: slots }) },
);

describe("PrefixIndex", () => {
  it("equals the stock indexer over any calls", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const index = new PrefixIndex({ bytesMax: 1 << 24 });
        const oracle = new Oracle();
        for (const s of steps) {
          if (s.op === "add") {
            index.add(s.slot, pairs(s.hashes), 0, s.hashes.length, s.capacity);
            oracle.add(s.slot, s.hashes, s.capacity);
          } else if (s.op === "remove") {
            index.removeSlot(s.slot);
            oracle.removeSlot(s.slot);
          } else {
            const got = new Int32Array(64);
            const want = new Int32Array(64);
            expect(index.match(pairs(s.hashes), 0, s.hashes.length, got)).toBe(oracle.match(s.hashes, want));
            expect(got).toEqual(want);
          }
        }
        const size = [...oracle.sets.values()].reduce((n, set) => n + set.size, 0);
        expect(index.size).toBe(size);
      }),
      { numRuns: 400 },
    );
  });

  it("equals a list of entries by age while the memory limit bites", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 60 }), (steps, entriesMax) => {
        const index = new PrefixIndex({ bytesMax: 45 * entriesMax });
        const oracle = new LimitedOracle(entriesMax);
        for (const s of steps) {
          if (s.op === "add") {
            index.add(s.slot, pairs(s.hashes), 0, s.hashes.length, s.capacity);
            oracle.add(s.slot, s.hashes, s.capacity);
          } else if (s.op === "remove") {
            index.removeSlot(s.slot);
            oracle.removeSlot(s.slot);
          } else {
            const got = new Int32Array(64);
            const want = new Int32Array(64);
            expect(index.match(pairs(s.hashes), 0, s.hashes.length, got)).toBe(oracle.match(s.hashes, want));
            expect(got).toEqual(want);
          }
          expect([index.size, index.limitEvictions]).toEqual([oracle.entries.length, oracle.evictions]);
        }
      }),
    );
  });

  it("never holds more entries than its bytes allow, and drops the oldest first", () => {
    const index = new PrefixIndex({ bytesMax: 45 * 100 });
    const all = Array.from({ length: 1000 }, (_, i) => i);
    index.add(3, pairs(all), 0, 1000, 5000);
    expect(index.size).toBe(100);
    expect(index.limitEvictions).toBe(900);
    const counts = new Int32Array(4);
    expect(index.match(pairs(all.slice(899)), 0, 101, counts)).toBe(0);
    expect(index.match(pairs(all.slice(900)), 0, 100, counts)).toBe(100);
    expect(counts[3]).toBe(100);
  });

  it("holds its memory within its bytes however many hashes come and go", () => {
    const bytesMax = 1 << 20;
    const index = new PrefixIndex({ bytesMax });
    const hashes = new Uint32Array(2000);
    for (let round = 0; round < 400; round++) {
      for (let i = 0; i < hashes.length; i++) hashes[i] = Math.imul(round * 2000 + i + 1, 0x9e3779b1);
      index.add(round % 7, hashes, 0, 1000, 20_000);
      if (round === 200) index.removeSlot(3);
    }
    expect(index.limitEvictions).toBeGreaterThan(300_000);
    expect(index.size).toBe(Math.floor(bytesMax / 45));
    expect(index.bytes).toBeLessThanOrEqual(bytesMax);
  });

  it("keeps blocks that their own add evicted, as recorded (prefix-1-0006)", () => {
    const index = new PrefixIndex({ bytesMax: 1 << 20 });
    index.add(0, pairs([1, 2, 3, 4]), 0, 4, 2);
    const counts = new Int32Array(1);
    expect(index.match(pairs([1, 2, 3, 4]), 0, 4, counts)).toBe(4);
    expect(index.sizeOf(0)).toBe(2);
    index.removeSlot(0);
    expect(index.size).toBe(0);
  });

  it("takes a capacity beyond 32 bits for as many as there can be", () => {
    for (const capacity of [2 ** 31, 2 ** 32, 1e18]) {
      const index = new PrefixIndex({ bytesMax: 1 << 20 });
      index.add(0, pairs([1, 2, 3]), 0, 3, capacity);
      expect([index.size, index.sizeOf(0)]).toEqual([3, 3]);
    }
  });

  it("holds 200,000 entries after growing and finds each", () => {
    const index = new PrefixIndex({ bytesMax: 1 << 28 });
    const many = Uint32Array.from({ length: 400_000 }, (_, i) => Math.imul(i + 1, 0x9e3779b1));
    index.add(1, many, 0, 200_000, 1_000_000);
    const counts = new Int32Array(2);
    expect(index.match(many, 0, 200_000, counts)).toBe(200_000);
  });
});

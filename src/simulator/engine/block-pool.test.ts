import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BlockPool } from "./block-pool.ts";

const make = (gpuBlocks: number) => {
  const removed: string[] = [];
  return { pool: new BlockPool(gpuBlocks, (lo, hi) => removed.push(`${lo}.${hi}`)), removed };
};

describe("a block pool", () => {
  it("gives out all blocks but number 0, the longest free first", () => {
    const { pool } = make(4);
    expect([pool.usableBlocks, pool.take(), pool.take(), pool.take()]).toEqual([3, 1, 2, 3]);
    pool.release(2);
    pool.release(1);
    expect([pool.take(), pool.take()]).toEqual([2, 1]);
    expect(() => pool.take()).toThrow("Cannot take a block: none is free");
  });

  it("keeps a free block's hash until the block is taken, and then tells", () => {
    const { pool, removed } = make(3);
    const block = pool.take();
    pool.store(block, 7, 8);
    pool.release(block);
    expect(pool.find(7, 8)).toBe(block);
    pool.touch(block);
    expect([pool.isFree(block), pool.freeBlocks]).toEqual([false, 1]);
    pool.release(block);
    expect([pool.take(), removed.length]).toEqual([2, 0]);
    expect([pool.take(), removed, pool.find(7, 8)]).toEqual([block, ["7.8"], -1]);
  });

  it("finds a second block with the same hash when the first one went", () => {
    const { pool } = make(4);
    const [a, b] = [pool.take(), pool.take()];
    pool.store(a, 1, 2);
    pool.store(b, 1, 2);
    pool.release(a);
    pool.take();
    pool.take();
    expect(pool.find(1, 2)).toBe(b);
  });

  it("refuses a second hash for a block, and a release too many", () => {
    const { pool } = make(3);
    const block = pool.take();
    pool.store(block, 1, 1);
    expect(() => pool.store(block, 2, 2)).toThrow("Cannot store block 1: it has a hash");
    pool.release(block);
    expect(() => pool.release(block)).toThrow("Cannot release block 1: it has no user");
  });

  it("does what a list and a map do, over any order of takes, stores, touches and releases", () => {
    const step = fc.record({ kind: fc.constantFrom("take", "touch", "release"), pick: fc.nat(50), hash: fc.nat(6) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 2, max: 9 }), (steps, gpuBlocks) => {
        const { pool, removed } = make(gpuBlocks);
        let free = Array.from({ length: gpuBlocks - 1 }, (_, i) => i + 1);
        const held: number[] = [];
        const hashes = new Map<number, number>();
        const gone: string[] = [];
        for (const { kind, pick, hash } of steps) {
          if (kind === "take" && free.length > 0) {
            const block = free.shift()!;
            if (hashes.has(block)) gone.push(`${hashes.get(block)}.5`);
            hashes.delete(block);
            held.push(block);
            expect(pool.take()).toBe(block);
            // Hash 0 stands for a block that is never stored; the low halves collide in the table.
            if (hash === 0) continue;
            hashes.set(block, hash * 64);
            pool.store(block, hash * 64, 5);
          } else if (kind === "touch") {
            const block = pool.find(hash * 64, 5);
            expect(block >= 0).toBe([...hashes.values()].includes(hash * 64));
            if (block < 0) continue;
            expect(hashes.get(block)).toBe(hash * 64);
            pool.touch(block);
            free = free.filter((b) => b !== block);
            held.push(block);
          } else if (kind === "release" && held.length > 0) {
            const [block] = held.splice(pick % held.length, 1);
            pool.release(block);
            if (!held.includes(block)) free.push(block);
          }
          expect(pool.freeBlocks).toBe(free.length);
        }
        expect(removed).toEqual(gone);
      }),
      { numRuns: 500 },
    );
  });
});

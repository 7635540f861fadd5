import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CHUNK_BYTES_MAX, chunksOf } from "./chunking.ts";

const ofSize = (size: number) => new Uint8Array(size).fill(size % 251);

describe("chunksOf", () => {
  it.each([
    [0, 1],
    [1, 1],
    [61_000, 1],
    [62_000, 1],
    [62_001, 2],
    [63_000, 2],
    [124_000, 2],
    [125_000, 3],
    [2_000_000, 33],
  ])("cuts %i bytes into %i chunks", (size, chunks) => {
    expect(chunksOf([ofSize(size)])).toHaveLength(chunks);
  });

  it("cuts any parts into full chunks and a last one, in order, and copies only what spans parts", () => {
    const parts = fc.array(
      fc.oneof(fc.nat(200), fc.integer({ min: 61_000, max: 63_000 })).map((size) => ofSize(size)),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(parts, (parts) => {
        const chunks = chunksOf(parts);
        expect(Buffer.concat(chunks).equals(Buffer.concat(parts))).toBe(true);
        for (const chunk of chunks.slice(0, -1)) expect(chunk.length).toBe(CHUNK_BYTES_MAX);
        expect(chunks.length === 1 || chunks.at(-1)!.length > 0).toBe(true);
        const buffers = new Set<ArrayBufferLike>(parts.map((part) => part.buffer));
        const copied = chunks.filter((chunk) => chunk.length > 0 && !buffers.has(chunk.buffer));
        expect(copied.length).toBeLessThanOrEqual(Math.max(0, parts.length - 1));
      }),
      { numRuns: 60 },
    );
  });
});

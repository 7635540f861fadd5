import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteCollector } from "./byte-collector.ts";

const pieces = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 3 }),
    fc.integer({ min: 4000, max: 20_000 }).map((n) => new Uint8Array(n).fill(n % 7)),
  ),
  { maxLength: 40 },
);

describe("ByteCollector", () => {
  it("gives back what was pushed, whole or in pieces, and is empty then", () => {
    fc.assert(
      fc.property(pieces, fc.boolean(), (pieces, whole) => {
        const collector = new ByteCollector();
        for (const piece of pieces) collector.push(piece);
        const all = Buffer.concat(pieces);
        expect(collector.length).toBe(all.length);
        const got = whole ? collector.takeWhole() : Buffer.concat(collector.takePieces());
        expect(Buffer.from(got).equals(all)).toBe(true);
        expect(collector.length).toBe(0);
        expect(collector.takeWhole()).toHaveLength(0);
      }),
    );
  });

  it("keeps a body that came in one piece as it is", () => {
    const collector = new ByteCollector();
    const piece = new Uint8Array(10);
    collector.push(piece);
    collector.push(new Uint8Array(0));
    expect(collector.takeWhole()).toBe(piece);
  });

  it("keeps a body of 1-byte pieces in few objects", () => {
    const collector = new ByteCollector();
    for (let i = 0; i < 100_000; i++) collector.push(Uint8Array.of(i % 256));
    expect(collector.takePieces().length).toBeLessThan(10);
  });
});

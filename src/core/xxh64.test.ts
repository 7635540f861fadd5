import fc from "fast-check";
import { describe, expect, it } from "vitest";
import xxhash from "xxhash-wasm";
import { xxh64, xxh64Pair, xxh64Text } from "./xxh64.ts";

const hex = (pair: Uint32Array) => pair[1].toString(16).padStart(8, "0") + pair[0].toString(16).padStart(8, "0");
const hash = (bytes: Uint8Array) => {
  const out = new Uint32Array(2);
  xxh64(bytes, 0, bytes.length, out, 0);
  return hex(out);
};

describe("xxh64", () => {
  it.each([
    ["", "ef46db3751d8e999"],
    ["a", "d24ec4f1a98c6e5b"],
    ["m", "ba2e567083a2b2e8"],
    ["ms", "2bb75c61ebe12c0e"],
  ])("of %j is %s", (text, want) => expect(hex(xxh64Text(text))).toBe(want));

  it("equals xxhash-wasm on any bytes", async () => {
    const { h64Raw } = await xxhash();
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        (bytes) => hash(bytes) === h64Raw(bytes).toString(16).padStart(16, "0"),
      ),
      { numRuns: 2000 },
    );
  });

  it("of a pair equals the hash of its 16 bytes", () => {
    const word = fc.integer({ min: 0, max: 0xffffffff });
    fc.assert(
      fc.property(word, word, word, word, (a, b, c, d) => {
        const out = new Uint32Array(2);
        xxh64Pair(a, b, c, d, out, 0);
        return hex(out) === hash(new Uint8Array(Uint32Array.of(a, b, c, d).buffer));
      }),
    );
  });

  it("reads only the given range", () => {
    const out = new Uint32Array(4);
    xxh64(new TextEncoder().encode("xxay"), 2, 3, out, 2);
    expect(hex(out.subarray(2))).toBe("d24ec4f1a98c6e5b");
  });
});

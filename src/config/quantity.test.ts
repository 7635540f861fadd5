import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseByteSize, parseQuantity } from "./quantity.ts";

describe("a quantity", () => {
  const table: [string, number | undefined][] = [
    ["10", 10],
    ["2k", 2000],
    ["1Gi", 1_073_741_824],
    ["1.5Ki", 1536],
    ["1e3", 1000],
    ["1E3", 1000],
    ["2E", undefined],
    ["0.1", 1],
    ["100m", 1],
    ["-1.5", -2],
    ["-1", -1],
    ["0", 0],
    ["1K", undefined],
    ["lots", undefined],
    ["", undefined],
    [" 1", undefined],
    ["1 Gi", undefined],
    ["9007199254740993", undefined],
  ];
  for (const [text, value] of table)
    it(`${JSON.stringify(text)} is ${value}`, () => expect(parseQuantity(text)).toBe(value));

  it("may have a B behind it as a size", () => {
    expect(parseByteSize("10MiB")).toBe(10_485_760);
    expect(parseByteSize("25MB")).toBe(25_000_000);
    expect(parseByteSize("4Mib")).toBe(4_194_304);
    expect(parseByteSize("10485760")).toBe(10_485_760);
    expect(parseByteSize("B")).toBeUndefined();
    expect(parseByteSize("10MBB")).toBeUndefined();
  });

  it("of a whole number is that number", () => {
    fc.assert(fc.property(fc.maxSafeInteger(), (n) => parseQuantity(String(n)) === n));
  });
});

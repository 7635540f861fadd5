import fc from "fast-check";
import { expect, it } from "vitest";
import { ProtoWriter } from "./proto-writer.ts";

/** A varint by its definition, in whole numbers of any size. */
function varintOf(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

it("whole numbers below 2^64 are written as varints", () => {
  const writer = new ProtoWriter();
  const isRight = (value: number): void => {
    writer.reset();
    writer.integer(3, value);
    expect([...writer.take()]).toEqual([24, ...varintOf(value)]);
  };
  for (let bit = 0; bit < 64; bit++) for (const near of [-1, 0, 1]) isRight(Math.min(2 ** bit + near, 2 ** 64 - 2048));
  fc.assert(fc.property(fc.maxSafeNat(), isRight));
});

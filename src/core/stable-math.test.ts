import { describe, expect, it } from "vitest";
import { exp, log, power } from "./stable-math.ts";

/** The bits of a double as hex. */
const bits = (x: number) => new BigUint64Array(Float64Array.of(x).buffer)[0].toString(16);

describe("stable math gives the same bits on every Node", () => {
  it.each([
    [0.3, 5, "3f63e81450efdc9a"],
    [0.1, 0.3, "3fe009b9cf334253"],
    [7.25, 1 / 3, "3ffef78e2c12c61b"],
    [0.5, 0.5, "3fe6a09e667f3bcc"],
  ])("power(%d, %d)", (x, y, want) => expect(bits(power(x, y))).toBe(want));

  it("knows the edges", () => {
    expect([power(0, 0), power(0, 2), power(1, 1e9), power(2, 0)]).toEqual([1, 0, 1, 1]);
    expect([log(1), exp(0)]).toEqual([0, 1]);
  });
});

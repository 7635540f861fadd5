import { expect, it } from "vitest";
import { draw, drawName } from "./draw.ts";

const [a, b] = [drawName("a"), drawName("b")];

it("a draw depends on each of its names, on keys beyond 32 bits too, and on nothing else", () => {
  const draws = [
    draw(1, 5, 0, a, b),
    draw(2, 5, 0, a, b),
    draw(1, 6, 0, a, b),
    draw(1, 5 + 2 ** 32, 0, a, b),
    draw(1, 5 + 2 ** 40, 0, a, b),
    draw(1, 5, 1, a, b),
    draw(1, 5, 0, b, b),
    draw(1, 5, 0, a, a),
    draw(1, 5, 0, b, a),
  ];
  expect(new Set(draws).size).toBe(draws.length);
  expect(draw(1, 5, 0, a, b)).toBe(draws[0]);
});

it("draws spread evenly over 0 to 1", () => {
  const tenths = Array<number>(10).fill(0);
  for (let key = 0; key < 10_000; key++) tenths[Math.floor(10 * draw(1, key, 0, a, b))]++;
  // 1000 expected; 5 standard deviations are 150.
  for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150);
});

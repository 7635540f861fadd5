import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { topologicalOrder } from "./topological-order.ts";

describe("an order by dependencies", () => {
  const order = (items: string[], edges: Record<string, string[]>) =>
    topologicalOrder(items, (item) => edges[item] ?? []);

  it("keeps the given order where nothing speaks against it", () => {
    expect(order(["c", "a", "b"], {}).order).toEqual(["c", "a", "b"]);
    expect(order(["c", "a", "b"], { c: ["b"] }).order).toEqual(["a", "b", "c"]);
  });

  it("names a circle, and what waits for it", () => {
    expect(order(["a", "b", "c", "d"], { a: ["b"], b: ["a"], c: ["a"] })).toEqual({ circle: ["a", "b", "c"] });
  });

  it("puts each item behind all that it needs", () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(100), { maxLength: 4 }), { maxLength: 12 }), (needs) => {
        const items = needs.map((_, i) => i);
        const before = (i: number) => (i === 0 ? [] : needs[i].map((n) => n % i));
        const { order } = topologicalOrder(items.toReversed(), before);
        expect([...order!].sort((a, b) => a - b)).toEqual(items);
        for (const [at, item] of order!.entries())
          for (const need of before(item)) expect(order!.indexOf(need)).toBeLessThan(at);
      }),
    );
  });
});

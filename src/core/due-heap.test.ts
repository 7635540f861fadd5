import fc from "fast-check";
import { expect, it } from "vitest";
import { DueHeap } from "./due-heap.ts";

it("a due heap equals a list sorted by time, then by arrival", () => {
  const step = fc.oneof(
    fc.record({ push: fc.nat(20) }),
    fc.record({ popAt: fc.nat(25) }),
    fc.record({ dropOdd: fc.constant(true) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const heap = new DueHeap();
      let list: { atUs: number; id: number }[] = [];
      for (const [id, s] of steps.entries()) {
        if ("push" in s) {
          heap.push(s.push, id);
          list.push({ atUs: s.push, id });
          list = list.toSorted((a, b) => a.atUs - b.atUs);
        } else if ("popAt" in s) {
          const due = list.length > 0 && list[0].atUs <= s.popAt ? list.shift() : undefined;
          expect(heap.popDue(s.popAt)).toBe(due?.id);
        } else {
          heap.prune((item) => item % 2 === 0);
          while (list.length > 0 && list[0].id % 2 === 1) list.shift();
        }
        expect(heap.nextUs).toBe(list[0]?.atUs);
      }
    }),
  );
});

import { expect, it } from "vitest";
import { DecisionRing } from "./decision-record.ts";

const kept = (ring: DecisionRing, from: number, to: number): number[] => {
  const sequences: number[] = [];
  for (let sequence = from; sequence < to; sequence++) if (ring.get(sequence)) sequences.push(sequence);
  return sequences;
};
const decide = (ring: DecisionRing, from: number, to: number, rows: number): void => {
  for (let sequence = from; sequence < to; sequence++) ring.place(sequence, rows).sequence = sequence;
};

it("a ring keeps the last decisions, fewer the more candidates they have, and uses their memory again", () => {
  const ring = new DecisionRing({ decisionsKept: 10, decisionRowsKept: 40 });
  decide(ring, 0, 15, 4);
  expect(kept(ring, 0, 15)).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
  const record = ring.get(14);
  decide(ring, 15, 30, 4);
  expect(ring.get(24)).toBe(record);
  // More candidates: 5 decisions of 8.
  decide(ring, 30, 40, 8);
  expect(kept(ring, 0, 40)).toEqual([35, 36, 37, 38, 39]);
  // What a record once held it may hold again, so it stays at that.
  decide(ring, 40, 50, 1);
  expect(kept(ring, 0, 50)).toHaveLength(5);
  decide(ring, 50, 52, 1000);
  expect(kept(ring, 0, 52)).toEqual([51]);
});

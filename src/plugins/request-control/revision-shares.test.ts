import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GatingMode } from "./revision-shares.ts";
import { drawnRevision, revisionShares } from "./revision-shares.ts";

const ROLES = ["prefill", "decode"];

/** Pods by revision: how many of each role, in the order of ROLES. */
type Counts = Readonly<Record<string, readonly [number, number]>>;

const podsOf = (counts: Counts) =>
  Object.entries(counts).flatMap(([revision, numbers]) =>
    numbers.flatMap((number, i) => Array.from({ length: number }, () => ({ revision, role: ROLES[i] }))),
  );

const sharesOf = (counts: Counts, mode: GatingMode, roles: readonly string[] = ROLES) =>
  Object.fromEntries(revisionShares(podsOf(counts), roles, mode));

describe("shares of revisions", () => {
  const table: readonly (readonly [string, Counts, GatingMode, Readonly<Record<string, number>>])[] = [
    ["all pods", { a: [2, 9], b: [1, 1] }, "sum", { a: 11 / 13, b: 2 / 13 }],
    ["the most frequent role", { a: [2, 9], b: [1, 1] }, "max-role", { a: 9 / 10, b: 1 / 10 }],
    ["one role for all revisions", { a: [8, 1], b: [2, 4] }, "max-role", { a: 8 / 10, b: 2 / 10 }],
    ["the first of equal roles", { a: [8, 2], b: [2, 8] }, "max-role", { a: 8 / 10, b: 2 / 10 }],
    ["complete revisions only", { a: [2, 8], b: [1, 2], c: [100, 0] }, "max-role", { a: 8 / 10, b: 2 / 10 }],
    ["one revision", { a: [1, 1] }, "sum", { a: 1 }],
    ["no complete revision", { a: [3, 0], b: [0, 2] }, "sum", {}],
    ["no pods", {}, "max-role", {}],
  ];
  it.each(table)("by %s", (_, counts, mode, expected) => expect(sharesOf(counts, mode)).toEqual(expected));

  it("lie in the order of their names, whatever the order of the candidates", () => {
    const shares = revisionShares(podsOf({ b: [1, 1], a: [3, 3] }), ROLES, "sum");
    const drawn = [0, 0.74, 0.76].map((draw) => drawnRevision(shares, new Set(["b", "a"]), draw));
    expect(drawn).toEqual(["a", "a", "b"]);
  });

  it("take the first role in the order that is given", () => {
    expect(sharesOf({ a: [8, 2], b: [2, 8] }, "max-role", ["decode", "prefill"])).toEqual({ a: 2 / 10, b: 8 / 10 });
  });

  it("add up to 1, and only complete revisions have one", () => {
    const number = fc.integer({ min: 0, max: 5 });
    const counts = fc.dictionary(fc.constantFrom("a", "b", "c", "d"), fc.tuple(number, number));
    fc.assert(
      fc.property(counts, fc.constantFrom("sum" as const, "max-role" as const), (given, mode) => {
        const shares = sharesOf(given, mode);
        const complete = Object.keys(given).filter((revision) => given[revision].every((n) => n > 0));
        expect(Object.keys(shares).toSorted()).toEqual(complete.toSorted());
        const sum = Object.values(shares).reduce((total, share) => total + share, 0);
        if (complete.length > 0) expect(sum).toBeCloseTo(1, 12);
      }),
    );
  });
});

describe("the drawn revision", () => {
  const shares = new Map([
    ["b", 0.25],
    ["a", 0.5],
    ["c", 0.25],
  ]);
  const all = new Set(["a", "b", "c", "other"]);
  const table: readonly (readonly [number, string])[] = [
    [0, "a"],
    [0.499, "a"],
    [0.5, "b"],
    [0.749, "b"],
    [0.75, "c"],
    [0.999, "c"],
    [1, "c"],
  ];
  it.each(table)("for %d is %s, in the order of names", (u, revision) => {
    expect(drawnRevision(shares, all, u)).toBe(revision);
  });

  it("is drawn by the shares of those that are there, among themselves", () => {
    const present = new Set(["b", "c"]);
    expect([0, 0.49, 0.5, 0.99].map((u) => drawnRevision(shares, present, u))).toEqual(["b", "b", "c", "c"]);
  });

  it("is none where none has a share", () => {
    expect(drawnRevision(shares, new Set(["other"]), 0.5)).toBe("");
    expect(drawnRevision(new Map(), all, 0.5)).toBe("");
  });
});

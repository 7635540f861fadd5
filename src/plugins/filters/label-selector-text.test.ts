import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseLabelSelector } from "./label-selector-text.ts";

function selects(text: string, labels: Readonly<Record<string, string>>): boolean {
  const selector = parseLabelSelector(text);
  if (typeof selector !== "function") throw new Error(selector.failed);
  return selector(labels);
}

describe("parseLabelSelector", () => {
  it.each([
    ["", {}, true],
    ["a=b", { a: "b" }, true],
    ["a = b", { a: "b" }, true],
    ["a==b", { a: "c" }, false],
    ["a=", { a: "" }, true],
    ["a=", {}, false],
    ["a!=b", {}, true],
    ["a!=b", { a: "b" }, false],
    ["llm-d.ai/role in (decode, both)", { "llm-d.ai/role": "both" }, true],
    ["llm-d.ai/role in (decode, both)", {}, false],
    ["a in (,b)", { a: "" }, true],
    ["a notin (b,c)", {}, true],
    ["a notin (b,c)", { a: "c" }, false],
    ["a", { a: "" }, true],
    ["a", {}, false],
    ["!a", {}, true],
    ["!a", { a: "x" }, false],
    ["a>5", { a: "6" }, true],
    ["a>5", { a: "5" }, false],
    ["a<5", { a: "-1" }, true],
    ["a<5", { a: "x" }, false],
    ["a=b,c!=d,e in (f),!g", { a: "b", e: "f" }, true],
    ["a=b,c!=d,e in (f),!g", { a: "b", e: "f", g: "" }, false],
    ["toString", {}, false],
  ])("reads %j: over %j it is %s", (text, labels, expected) => {
    expect(selects(text, labels as Record<string, string>)).toBe(expected);
  });

  it.each([
    ["a=b,", "found the end, expected the key of a label"],
    ["=b", 'found "=", expected the key of a label'],
    ["a b", 'found "b", expected =, ==, !=, in, notin, > or <'],
    ["a in b", 'found "b", expected ('],
    ["a in (b", "found the end, expected )"],
    ["a in ()", 'found ")", expected a value'],
    ["a notin ()", 'found ")", expected a value'],
    ["a=b c", 'found "c", expected a comma or the end'],
    ["a>x", 'found "x", expected a whole number'],
    ["-a=b", 'found "-a", expected the key of a label'],
    ["a=b!", 'found "!", expected a comma or the end'],
    [`a=${"b".repeat(64)}`, `found "${"b".repeat(64)}", expected the value of a label`],
    ["a".repeat(5000), "found 5000 characters, expected at most 4096"],
  ])("refuses %j: %s", (text, failed) => {
    expect(parseLabelSelector(text)).toEqual({ failed });
  });

  it("never throws, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from("ab=!<>(), in1-/.")) }), (text) => {
        const selector = parseLabelSelector(text);
        expect(typeof (typeof selector === "function" ? selector({ a: "b" }) : selector.failed)).toMatch(
          /boolean|string/,
        );
      }),
    );
  });
});

import { describe, expect, it } from "vitest";
import { z } from "zod";
import { goDurationUs } from "../plugins/params.ts";
import { ProblemList } from "./config-error.ts";
import { decode } from "./decode.ts";
import { readConfig } from "./read-config.ts";

const schema = z
  .strictObject({
    count: z.int().min(1).default(3),
    ratio: z.number().gt(0).max(1).optional(),
    mode: z.enum(["a", "b"]).default("a"),
    wait: goDurationUs.optional(),
    names: z.array(z.string()).default([]),
    inner: z.strictObject({ depthLimit: z.number().optional() }).prefault({}),
    labels: z.record(z.string(), z.string()).default({}),
  })
  .refine(({ count, ratio }) => !(count > 5 && ratio === 1), {
    path: ["ratio"],
    message: "less than 1 when count is above 5",
  });

function read(text: string, foldCase = false) {
  const problems = new ProblemList();
  const value = decode(schema, readConfig(text, problems)!, ["p"], problems, { foldCase });
  return {
    value,
    told: problems.problems.map(({ place, path, text: said }) => `${place.line}:${place.column} ${path}: ${said}`),
  };
}

describe("decoding by a schema", () => {
  it("fills in defaults; null counts as absent", () => {
    expect(read("count: null\nratio: 0.5\ninner: {depthLimit: null}").value).toEqual({
      count: 3,
      ratio: 0.5,
      mode: "a",
      names: [],
      inner: {},
      labels: {},
    });
  });

  const table: [string, string, string[]][] = [
    ["a wrong type", "count: two", ['1:8 p.count: found "two", expected a number']],
    ["a fraction", "count: 2.5", ["1:8 p.count: found 2.5, expected a whole number"]],
    ["too small", "count: 0", ["1:8 p.count: found 0, expected at least 1"]],
    ["not above", "ratio: 0", ["1:8 p.ratio: found 0, expected more than 0"]],
    ["too big", "ratio: 2", ["1:8 p.ratio: found 2, expected at most 1"]],
    ["another word", "mode: c", ['1:7 p.mode: found "c", expected one of "a", "b"']],
    ["a bad duration", "wait: soon", ['1:7 p.wait: found "soon", expected a duration such as "200ms" or "1m30s"']],
    ["a duration without unit", "wait: 5", ["1:7 p.wait: found 5, expected a text"]],
    ["an entry of a list", "names:\n  - x\n  - 5", ["3:5 p.names[1]: found 5, expected a text"]],
    ["a map for a list", "names: {a: 1}", ["1:8 p.names: found a map, expected a list"]],
    [
      "what does not go together",
      "count: 6\nratio: 1",
      ["2:8 p.ratio: found 1, expected less than 1 when count is above 5"],
    ],
    [
      "an unknown key",
      "cuont: 1",
      [
        '1:1 p.cuont: found an unknown key, expected one of count, ratio, mode, wait, names, inner, labels; did you mean "count"?',
      ],
    ],
    ["an unknown key inside", "inner: {x: null}", ["1:9 p.inner.x: found an unknown key, expected depthLimit"]],
    ["a key in another case", "Count: 1", [expect.stringContaining('did you mean "count"?') as string]],
    [
      "two mistakes",
      "count: 0\nmode: c",
      ["1:8 p.count: found 0, expected at least 1", '2:7 p.mode: found "c", expected one of "a", "b"'],
    ],
  ];
  for (const [what, text, told] of table) {
    it(`tells ${what}, where it stands`, () => {
      const result = read(text);
      expect(result.told).toEqual(told);
      expect(result.value).toBeUndefined();
    });
  }

  it("matches keys without regard to case where told, the last of equal ones counts", () => {
    expect(read("COUNT: 4\nInner: {DEPTHLIMIT: 2}\ncount: 5", true).value).toMatchObject({
      count: 5,
      inner: { depthLimit: 2 },
    });
    expect(read("COUNT: x", true).told).toEqual(['1:8 p.count: found "x", expected a number']);
  });

  it("leaves the keys of a record as they are", () => {
    expect(read("labels: {A: one, a: two}", true).value!.labels).toEqual({ A: "one", a: "two" });
  });

  it("lets no key reach a prototype", () => {
    const { value } = read("labels: {__proto__: one, constructor: two}");
    expect(Object.getPrototypeOf(value!.labels)).toBe(Object.prototype);
    expect({}).not.toHaveProperty("one");
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProblemList } from "./config-error.ts";
import type { ConfigNode } from "./config-node.ts";
import { placeOf } from "./config-node.ts";
import { CONFIG_CHARS_MAX, readConfig } from "./read-config.ts";

function read(text: string) {
  const problems = new ProblemList();
  const root = readConfig(text, problems);
  const told = problems.problems.map(({ place, path, text: said }) => `${place.line}:${place.column} ${path}: ${said}`);
  return { root, told };
}

/** The tree as plain values. */
function plain(node: ConfigNode | undefined): unknown {
  if (!node) return undefined;
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(plain);
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value)]));
}

describe("a config text", () => {
  const values: [string, string, unknown][] = [
    ["yes is true, as in YAML 1.1", "a: yes\nb: off", { a: true, b: false }],
    ["numbers", "a: 1\nb: -2.5\nc: 1e3\nd: 010\ne: 1_000", { a: 1, b: -2.5, c: 1000, d: 8, e: 1000 }],
    ["dates and times of day are text", "a: 2001-01-01\nb: 1:30", { a: "2001-01-01", b: "1:30" }],
    ["quotes make text", "a: \"5\"\nb: 'yes'", { a: "5", b: "yes" }],
    ["null", "a: null\nb: ~\nc:", { a: null, b: null, c: null }],
    ["anchors", "a: &x [1, 2]\nb: *x", { a: [1, 2], b: [1, 2] }],
    [
      "merge keys, own keys first",
      "a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3",
      { a: { p: 1, q: 2 }, b: { q: 3, p: 1 } },
    ],
    ["the first of several documents counts", "a: 1\n---\na: 2", { a: 1 }],
    ["JSON", '{"a": [true, null, "\\u00e9"]}', { a: [true, null, "\u00e9"] }],
    ["a key that is a word of YAML 1.1", "n: 1", { n: 1 }],
  ];
  for (const [what, text, value] of values) {
    it(`is read as Go's library does: ${what}`, () => {
      const { root, told } = read(text);
      expect(told).toEqual([]);
      expect(plain(root)).toEqual(value);
    });
  }

  for (const text of ["", "\n\n", "# nothing\n", "---\n", "~"]) {
    it(`counts as none when it is ${JSON.stringify(text)}`, () => {
      expect(read(text)).toEqual({ root: undefined, told: [] });
    });
  }

  const broken: [string, string, string][] = [
    ["a tab", "a: 1\n\tb: 2\n", "2:1 : found something else, expected YAML: tabs are not allowed as indentation"],
    ["a list at the top", "- 1\n- 2", "1:1 : found a list, expected a map with apiVersion, kind, plugins ..."],
    ["a text at the top", "hello", '1:1 : found "hello", expected a map with apiVersion, kind, plugins ...'],
    ["a key twice", "a: 1\nb: {c: 1, c: 2}", '2:11 b.c: found a second "c", expected each key once'],
    [
      "a template",
      "a: {{ .Values.x }}",
      "1:5 a: found a map or list as a key, expected a name; is it a template not filled in?",
    ],
    ["an unknown anchor", "a: *x", "1:4 a: found *x, expected an anchor that stands before it"],
    ["an anchor within itself", "a: &x [*x]", "1:8 a[0]: found *x, expected an anchor that stands before it"],
    [
      "a comma too many in JSON",
      '{"a": 1,}',
      '1:9 : found "}", expected what JSON allows there, as the text begins with a brace',
    ],
    [
      "JSON that stops",
      '{"a": 1',
      "1:8 : found the end of the text, expected what JSON allows there, as the text begins with a brace",
    ],
  ];
  for (const [what, text, message] of broken) {
    it(`is refused with ${what}`, () => {
      expect(read(text).told[0]).toBe(message);
    });
  }

  it("is refused when it is too long, before it is read", () => {
    expect(read("x".repeat(CONFIG_CHARS_MAX + 1)).told).toEqual([
      "1:1 : found 1048577 characters, expected at most 1048576",
    ]);
  });

  it("is refused when a few aliases stand for billions of values, and quickly", () => {
    const levels = ["a: &a0 [1,1,1,1,1,1,1,1,1,1]"];
    for (let i = 1; i < 12; i++)
      levels.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(",")}]`,
      );
    expect(read(levels.join("\n")).told).toEqual([
      expect.stringMatching(/^5:\d+ a4: found over 100000 values, expected fewer$/) as string,
    ]);
  });

  for (const [what, text] of [
    ["brackets", `a: ${"[".repeat(200_000)}`],
    ["braces", `a: ${"{a: ".repeat(100_000)}`],
    ["JSON", `{"a": ${"[".repeat(100_000)}${"]".repeat(100_000)}}`],
    ["list entries", `a:\n  ${"- ".repeat(200_000)}x`],
    ["keys", `${"? ".repeat(200_000)}x`],
    ["maps by indentation", Array.from({ length: 1000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n")],
  ]) {
    it(`is refused when ${what} are nested too deep`, () => {
      expect(read(text).told).toEqual([expect.stringMatching(/nested too deep, expected a config$/) as string]);
    });
  }

  it("may be nested as deep as any config needs", () => {
    expect(read(`a: ${"[".repeat(50)}${"]".repeat(50)}`).told).toEqual([]);
  });

  it("knows where everything stands", () => {
    const { root } = read("a:\n  - b: 1\n    c: two\n");
    expect(placeOf(root!, ["a", 0, "c"])).toEqual({ line: 3, column: 8 });
    expect(placeOf(root!, ["a", 0, "missing"])).toEqual({ line: 2, column: 5 });
    expect(placeOf(root!, ["a", 7])).toEqual({ line: 2, column: 3 });
  });

  it("gives a tree or a located problem, whatever it is", () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[a-c:\-[\]{}&*<>!|"' \n\t0-9,#]{0,60}$/), fc.json());
    fc.assert(
      fc.property(text, (given) => {
        const { told, root } = read(given);
        for (const line of told) expect(line).toMatch(/^[1-9]\d*:[1-9]\d* /);
        if (root) expect(root.kind).toBe("map");
      }),
      { numRuns: 500 },
    );
  });
});

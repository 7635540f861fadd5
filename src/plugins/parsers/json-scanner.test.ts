import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { syntaxErrorText } from "./json-error.ts";
import { findMembers, keySet } from "./json-members.ts";
import { readNumber } from "./json-number.ts";
import { JSON_DEPTH_MAX, scanJson } from "./json-scanner.ts";
import { readString } from "./json-string.ts";
import {
  JsonTape,
  LITERAL_NULL,
  LITERAL_TRUE,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  countOf,
  endOf,
  firstOf,
  isNumber,
  kindOf,
  nextOf,
  startOf,
} from "./json-tape.ts";

const tape = new JsonTape();

function scan(text: string | Uint8Array): boolean {
  return scanJson(tape, typeof text === "string" ? Buffer.from(text) : text);
}

/** The value of a node, built by walking the tape. */
function valueOf(node: number): unknown {
  const kind = kindOf(tape, node);
  if (kind === QUOTE) return readString(tape, node);
  if (isNumber(tape, node)) return readNumber(tape, node);
  if (kind === OPEN_ARRAY) {
    const elements = [];
    let element = firstOf(node);
    for (let i = countOf(tape, node); i > 0; i--, element = nextOf(tape, element)) elements.push(valueOf(element));
    return elements;
  }
  if (kind !== OPEN_OBJECT) return kind === LITERAL_NULL ? null : kind === LITERAL_TRUE;
  const members: [string, unknown][] = [];
  let key = firstOf(node);
  for (let i = countOf(tape, node); i > 0; i--, key = nextOf(tape, key + 2)) {
    members.push([readString(tape, key), valueOf(key + 2)]);
  }
  return Object.fromEntries(members);
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe("scanJson", () => {
  it.each([
    ['{"a":1}', true],
    [' \n\t\r{ "a" : [ 1 , 2 ] } \n', true],
    ["null", true],
    ["-0", true],
    ["1.5e+300", true],
    ['"\\ud800"', true],
    ["[]", true],
    ["{}", true],
    ["", false],
    ["{", false],
    ["[1,]", false],
    ['{"a":1,}', false],
    ["01", false],
    ["1.", false],
    ["+1", false],
    [".5", false],
    ["1e", false],
    ["tru", false],
    ["nulll", false],
    ["{'a':1}", false],
    ['"a\nb"', false],
    ['"\\x"', false],
    ['"\\u12g4"', false],
    ["\ufeff{}", false],
    ["{} {}", false],
    ["[1 2]", false],
    ["[1}", false],
    ["{a:1}", false],
    ["\u00a0{}", false],
    ["/**/1", false],
    ["NaN", false],
  ])("takes %j: %s", (text, valid) => {
    expect(scan(text)).toBe(valid);
  });

  it("takes strings that are no UTF-8", () => {
    expect(scan(Buffer.from([0x22, 0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0x22]))).toBe(true);
  });

  it("takes 10,000 levels and refuses one more as Go does", () => {
    expect(scan("[".repeat(JSON_DEPTH_MAX) + "]".repeat(JSON_DEPTH_MAX))).toBe(true);
    expect(scan('{"a":'.repeat(JSON_DEPTH_MAX) + "1" + "}".repeat(JSON_DEPTH_MAX))).toBe(true);
    expect(scan("[".repeat(JSON_DEPTH_MAX + 1))).toBe(false);
    expect(syntaxErrorText(tape)).toBe("invalid character '[' exceeded max depth");
  });

  it("finds a stop at every place of a long string", () => {
    for (let length = 0; length < 60; length++) {
      for (const [stop, valid] of [
        ["\\n", true],
        ["\u0000", false],
        ["\u001f", false],
        ["\\", false],
        [" ", true],
      ] as const) {
        const text = `["${"é".repeat(length % 3)}${"x".repeat(length)}${stop}","y"]`;
        expect(scan(text), text).toBe(valid);
        if (valid) expect(valueOf(0)).toEqual(JSON.parse(text));
      }
    }
  });

  it("reports the bytes of each value", () => {
    const text = ' {"a": [1, "é\\n"] , "b":{"c":null}}';
    expect(scan(text)).toBe(true);
    const spans: string[] = [];
    for (let node = 0; node < tape.length;) {
      spans.push(Buffer.from(text).subarray(startOf(tape, node), endOf(tape, node)).toString());
      const kind = kindOf(tape, node);
      node += kind === OPEN_ARRAY || kind === OPEN_OBJECT ? 4 : 2;
    }
    const whole = text.slice(1);
    expect(spans).toEqual([whole, '"a"', '[1, "é\\n"]', "1", '"é\\n"', '"b"', '{"c":null}', '"c"', "null"]);
  });

  it("notes the first number that no double holds, and only such", () => {
    expect(scan("[1e308, -1e308, 1e-400, 0e999]")).toBe(true);
    expect(tape.overflowNode).toBe(-1);
    expect(scan("[1, 1e309, -1e400]")).toBe(true);
    expect(readNumber(tape, tape.overflowNode)).toBe(Infinity);
    expect(scan(`[${"9".repeat(309)}]`)).toBe(true);
    expect(tape.overflowNode).toBeGreaterThan(0);
    expect(scan(`[${"9".repeat(308)}]`)).toBe(true);
    expect(tape.overflowNode).toBe(-1);
  });

  it("gives a big tape back before the next document", () => {
    expect(scan(`[${"1,".repeat(700_000)}1]`)).toBe(true);
    expect(countOf(tape, 0)).toBe(700_001);
    expect(tape.words.length).toBeGreaterThan(1 << 20);
    expect(scan("1")).toBe(true);
    expect(tape.words.length).toBeLessThanOrEqual(1 << 20);
  });

  it("accepts what JSON.parse accepts and finds the same value", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.boolean(), (text, spaced) => {
        const written = spaced ? JSON.stringify(JSON.parse(text), null, 2) : text;
        expect(scan(written)).toBe(true);
        expect(valueOf(0)).toEqual(JSON.parse(written));
      }),
      { numRuns: 2000 },
    );
  });

  it("agrees with JSON.parse on damaged documents", () => {
    const damage = fc.array(
      fc.tuple(fc.nat(), fc.nat(3), fc.constantFrom(...Array.from('{}[]":,\\/ntu019.eE+- \u0001é'))),
      {
        minLength: 1,
        maxLength: 3,
      },
    );
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), damage, (text, changes) => {
        let damaged = text;
        for (const [at, cut, inserted] of changes) {
          const p = at % (damaged.length + 1);
          damaged = damaged.slice(0, p) + inserted + damaged.slice(p + cut);
        }
        // Half of a cut surrogate pair becomes U+FFFD in UTF-8: the same document for both.
        damaged = Buffer.from(damaged).toString();
        expect(scan(damaged), damaged).toBe(parses(damaged));
      }),
      { numRuns: 5000 },
    );
  });
});

describe("findMembers", () => {
  const keys = keySet("model", "stream", "é");

  function found(text: string): readonly unknown[] {
    expect(scan(text)).toBe(true);
    return [...findMembers(tape, 0, keys)].map((node) => (node < 0 ? undefined : valueOf(node)));
  }

  it.each([
    ['{"model":"m","stream":true}', ["m", true, undefined]],
    ['{"model":"a","model":"b"}', ["b", undefined, undefined]],
    ['{"mod\\u0065l":"m"}', ["m", undefined, undefined]],
    ['{"Model":"m","MODEL":"n"}', [undefined, undefined, undefined]],
    ['{"x":{"model":"m"},"\\u00e9":1}', [undefined, undefined, 1]],
    ['{"é":2}', [undefined, undefined, 2]],
    ["{}", [undefined, undefined, undefined]],
    ["null", [undefined, undefined, undefined]],
    ['["model"]', [undefined, undefined, undefined]],
  ])("in %s", (text, values) => {
    expect(found(text)).toEqual(values);
  });
});

describe("Go's encoding/json as recorded", () => {
  const path = new URL("../../../test/golden/data/go-json.jsonl.gz", import.meta.url);
  const lines = gunzipSync(readFileSync(path)).toString().trim().split("\n");
  const records = lines.map((line) => JSON.parse(line) as { document: string; error?: string });
  const isSyntax = (error: string) => /^(invalid character|unexpected end)/.test(error);

  it("is matched in what it refuses and in every word of it", () => {
    expect(records.length).toBeGreaterThan(1000);
    for (const { document, error = "" } of records) {
      const bytes = Buffer.from(document, "base64");
      expect(scan(bytes), bytes.toString()).toBe(!isSyntax(error));
      if (isSyntax(error)) expect(syntaxErrorText(tape), bytes.toString()).toBe(error);
    }
  });
});

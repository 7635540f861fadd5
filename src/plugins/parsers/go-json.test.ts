import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteSink } from "./byte-sink.ts";
import { appendGoJson } from "./go-json.ts";
import { goJsonNumber, goPrintNumber } from "./json-number.ts";
import { scanObject } from "./json-object.ts";
import { scanJson } from "./json-scanner.ts";
import { JsonTape } from "./json-tape.ts";

const tape = new JsonTape();

function marshal(document: string | Uint8Array): string {
  const bytes = typeof document === "string" ? Buffer.from(document) : document;
  if (!scanJson(tape, bytes)) throw new Error("no JSON");
  const sink = new ByteSink(0);
  appendGoJson(tape, 0, sink);
  return Buffer.from(sink.written()).toString();
}

describe("appendGoJson", () => {
  it.each([
    ['{ "b" : 1, "a" : [ true , null ] }', '{"a":[true,null],"b":1}'],
    ['{"a":1,"a":{"y":2,"x":3}}', '{"a":{"x":3,"y":2}}'],
    ['{"\\u0061":1,"a":2,"aa":3,"":4,"é":5,"Z":6}', '{"":4,"Z":6,"a":2,"aa":3,"é":5}'],
    ['"<b>&amp;\u2028\u2029\\/"', '"\\u003cb\\u003e\\u0026amp;\\u2028\\u2029/"'],
    ['"\\u0008\\u000c\\u0001\\u007f\\t\\"\\\\"', '"\\b\\f\\u0001\u007f\\t\\"\\\\"'],
    ['"\\ud83d\\ude00 \\ud83d \\udc00x"', '"😀 \ufffd \ufffdx"'],
    ["[-0,-0.0,0.0,1e5,1E+2,100000000000000000000]", "[-0,-0,0,100000,100,100000000000000000000]"],
    [
      "[1e21,1e20,1e-6,1e-7,0.1,123456789012345678]",
      "[1e+21,100000000000000000000,0.000001,1e-7,0.1,123456789012345680]",
    ],
    ["[[],{},[{}]]", "[[],{},[{}]]"],
  ])("marshals %s", (document, text) => {
    expect(marshal(document)).toBe(text);
  });

  it("replaces each bad byte of a string on its own", () => {
    expect(marshal(Buffer.from([0x22, 0xe2, 0x82, 0x41, 0xed, 0xa0, 0x80, 0xc3, 0xa9, 0x22]))).toBe(
      `"${"\ufffd".repeat(2)}A${"\ufffd".repeat(3)}é"`,
    );
  });

  it("goes 10,000 levels deep", () => {
    const deep = '{"a":['.repeat(5000) + "]}".repeat(5000);
    expect(marshal(deep)).toBe(deep);
  });

  it("writes what JSON.parse reads back as the same value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(marshal(JSON.stringify(value)))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 1000 },
    );
  });

  it("is a fixed point: marshalling twice changes nothing", () => {
    fc.assert(
      fc.property(fc.json(), (document) => {
        const once = marshal(document);
        expect(marshal(once)).toBe(once);
      }),
    );
  });
});

/**
 * One document a line, in base64, with what Go 1.26 made of it: `error` of `json.Unmarshal` into a `map[string]any`, else
 * `object`, that map marshalled; `value`, the document decoded into `any` and marshalled, where it differs.
 */
describe("Go's encoding/json as recorded", () => {
  const path = new URL("../../../test/golden/data/go-json.jsonl.gz", import.meta.url);
  const lines = gunzipSync(readFileSync(path)).toString().trim().split("\n");
  const records = lines.map(
    (line) => JSON.parse(line) as { document: string; error?: string; object?: string; value?: string },
  );

  it("is matched when it decodes into a map", () => {
    for (const { document, error = "" } of records) {
      const bytes = Buffer.from(document, "base64");
      expect(scanObject(tape, bytes), bytes.toString()).toBe(error);
    }
  });

  it("is matched byte for byte when it marshals again", () => {
    let marshalled = 0;
    for (const { document, object, value } of records) {
      const recorded = value ?? object;
      if (recorded === undefined) continue;
      marshalled++;
      expect(marshal(Buffer.from(document, "base64"))).toBe(Buffer.from(recorded, "base64").toString());
    }
    expect(marshalled).toBeGreaterThan(200);
  });
});

describe("numbers in Go's words", () => {
  it.each([
    [0, "0", "0"],
    [-0, "-0", "-0"],
    [200000, "200000", "200000"],
    [1e6, "1000000", "1e+06"],
    [4294967296, "4294967296", "4.294967296e+09"],
    [1234567.5, "1234567.5", "1.2345675e+06"],
    [1e21, "1e+21", "1e+21"],
    [0.0001, "0.0001", "0.0001"],
    [1e-5, "0.00001", "1e-05"],
    [-1.5e-7, "-1.5e-7", "-1.5e-07"],
  ])("%d", (value, json, printed) => {
    expect(goJsonNumber(value)).toBe(json);
    expect(goPrintNumber(value)).toBe(printed);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rewriteModel } from "./model-rewrite.ts";

function rewritten(body: string | Uint8Array, model: string, mode: "splice" | "stock"): string {
  return Buffer.concat(rewriteModel(typeof body === "string" ? Buffer.from(body) : body, model, mode)).toString();
}

describe("rewriteModel by splice", () => {
  it.each([
    ['{"model":"a","n":1.0}', '{"model":"b","n":1.0}'],
    [' { "x" : 1e2 , "model" : "a\\n" } ', ' { "x" : 1e2 , "model" : "b" } '],
    ['{"model":"a","model":"c"}', '{"model":"a","model":"b"}'],
    ['{"mod\\u0065l":"a"}', '{"mod\\u0065l":"b"}'],
    ['{"model":{"x":[1]},"y":2}', '{"model":"b","y":2}'],
    ['{"model":null}', '{"model":"b"}'],
    ['{"y":{"model":"a"}}', '{"model":"b","y":{"model":"a"}}'],
    [" {} ", ' {"model":"b"} '],
  ])("turns %s into %s", (body, expected) => {
    expect(rewritten(body, "b", "splice")).toBe(expected);
  });

  it("keeps the bytes around the name as views of the body", () => {
    const body = Buffer.from('{"model":"a","prompt":"\xff"}', "latin1");
    const [head, , tail] = rewriteModel(body, "b", "splice");
    expect(head.buffer).toBe(body.buffer);
    expect(tail.buffer).toBe(body.buffer);
    expect(Buffer.from(tail).toString("latin1")).toBe(',"prompt":"\xff"}');
  });

  it("escapes the name", () => {
    const name = 'a"\\\n\u2028<é😀';
    expect(JSON.parse(rewritten('{"model":"a"}', name, "splice"))).toEqual({ model: name });
    expect(JSON.parse(rewritten("{}", "\ud800", "splice"))).toEqual({ model: "\ufffd" });
  });
});

describe("rewriteModel as stock", () => {
  it.each([
    ['{"prompt":"<a>","model":"a","n":1e2}', '{"model":"b","n":100,"prompt":"\\u003ca\\u003e"}'],
    ['{"model":"a","model":"c","x":[1.0]}', '{"model":"b","x":[1]}'],
    ['{"z":9007199254740993,"a":{"model":"a"}}', '{"a":{"model":"a"},"model":"b","z":9007199254740992}'],
    ["{}", '{"model":"b"}'],
  ])("turns %s into %s", (body, expected) => {
    expect(rewritten(body, "b", "stock")).toBe(expected);
  });
});

describe("both ways", () => {
  it("give the same value: the body's, with the new model", () => {
    const members = fc.dictionary(fc.constantFrom("model", "prompt", "x", "é", ""), fc.jsonValue());
    fc.assert(
      fc.property(members, fc.string(), fc.boolean(), (value, model, spaced) => {
        const body = JSON.stringify(value, null, spaced ? 2 : undefined);
        const expected = { ...(JSON.parse(body) as object), model };
        expect(JSON.parse(rewritten(body, model, "splice"))).toEqual(expected);
        expect(JSON.parse(rewritten(body, model, "stock"))).toEqual(JSON.parse(JSON.stringify(expected)));
      }),
      { numRuns: 500 },
    );
  });
});

import { describe, expect, it } from "vitest";
import { putModelNameBack } from "./model-name.ts";
import { bytesOf, textOf } from "../core/text.ts";

describe("putModelNameBack", () => {
  it.each([
    ['{"model":"target","y":"target"}', '{"model":"m","y":"target"}'],
    ['{"model":"target","x":1,"model2":{"model":"target"}}', '{"model":"m","x":1,"model2":{"model":"m"}}'],
    ['{"model": "target", "x": 1}', '{"model": "m", "x": 1}'],
    ['{"model":"target"}{"model": "target"}', '{"model":"m"}{"model": "target"}'],
    ['{ "model" : "target" }', '{ "model" : "target" }'],
    ['{"model":"target2"}', '{"model":"target2"}'],
    ['""model":"target""model":"target"', '""model":"m""model":"m"'],
    ['{"model":"targ', '{"model":"targ'],
    ["", ""],
  ])("turns %s into %s", (body, wanted) => {
    expect(textOf(putModelNameBack(bytesOf(body), "target", "m"))).toBe(wanted);
  });

  it("gives back the same bytes when there is nothing to do", () => {
    const body = bytesOf('{"model":"m"}');
    expect(putModelNameBack(body, "target", "m")).toBe(body);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { putModelNameBack } from "../protocol/model-name.ts";
import { ModelNameRestorer } from "./gateway-model-name.ts";

/** What comes out for a text that is cut at the given places. */
function restored(text: string, cuts: readonly number[], served = "big", requested = "small"): string {
  const bytes = Buffer.from(text);
  const restorer = new ModelNameRestorer(served, requested);
  const places = [0, ...[...cuts].map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  const parts = places.slice(1).map((to, i) => restorer.push(bytes.subarray(places[i], to)));
  return Buffer.concat([...parts, restorer.end()]).toString();
}

describe("a model's name put back into a stream", () => {
  it("is found wherever the stream is cut", () => {
    const text = `data: {"id":1,"model":"big","x":"model"}\n\n`;
    for (let cut = 0; cut <= text.length; cut++) {
      for (let other = cut; other <= text.length; other++) {
        expect(restored(text, [cut, other])).toBe(`data: {"id":1,"model":"small","x":"model"}\n\n`);
      }
    }
  });

  it("lets everything go on that can't be the beginning of one", () => {
    const restorer = new ModelNameRestorer("big", "small");
    expect(Buffer.from(restorer.push(Buffer.from("data: {}\n\n"))).toString()).toBe("data: {}\n\n");
    expect(Buffer.from(restorer.push(Buffer.from('x"mod'))).toString()).toBe("x");
    expect(Buffer.from(restorer.push(Buffer.from("e!"))).toString()).toBe('"mode!');
    expect(restorer.end()).toHaveLength(0);
  });

  it("comes out as from the whole text, for any text and any cuts", () => {
    const piece = fc.constantFrom('"model":"big"', '"model":', '"', "big", "\n", "data: ", "ü", '"model":"bigger"');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.array(fc.nat(200), { maxLength: 6 }), (pieces, cuts) => {
        const text = pieces.join("");
        expect(restored(text, cuts)).toBe(Buffer.from(putModelNameBack(Buffer.from(text), "big", "small")).toString());
      }),
    );
  });
});

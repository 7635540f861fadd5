import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blockIds, chainBlocks, chainRoot } from "./block-ids.ts";

const tokens = (...ids: number[]) => ({ bytes: new Uint8Array(Uint32Array.from(ids).buffer) });
const hex = (pairs: Uint32Array, n = pairs.length / 2) =>
  Array.from(
    { length: n },
    (_, i) => pairs[2 * i + 1].toString(16).padStart(8, "0") + pairs[2 * i].toString(16).padStart(8, "0"),
  );
const text = (s: string) => {
  const bytes = new TextEncoder().encode(s);
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  return { bytes: padded };
};
const hashes = (prompt: { bytes: Uint8Array }, model: string, salt: string, size: number) => {
  const { ids } = blockIds([prompt], [size]).blocks[0].prompts[0];
  const out = new Uint32Array(ids.length);
  const n = chainBlocks(chainRoot(model, salt), ids, Infinity, out, 0);
  return hex(out, n);
};

describe("prefix hashes", () => {
  it.each([
    ["tokens 1..4", tokens(1, 2, 3, 4), "m", "", 2, ["bdeada2071943583", "7aacfb531261b051"]],
    [
      "a shorter last block",
      tokens(1, 2, 3, 4, 5),
      "m",
      "",
      2,
      ["bdeada2071943583", "7aacfb531261b051", "7e59226481d5dbc3"],
    ],
    ["a salt", tokens(1, 2, 3, 4), "m", "s", 2, ["f6af38718e48dc8e", "c24854c59616de9f"]],
    [
      "text by the estimate",
      text("Hello, world! ".repeat(40)),
      "meta-llama/Llama-3.1-8B-Instruct",
      "",
      64,
      ["6616b301724cae16", "10ca09abff5caa9a", "2bb662e8c1481d8c"],
    ],
    ["a chat by the estimate", text("systemYou are helpful.userHi"), "m", "", 64, ["1ac6b72bac5ce835"]],
  ] as const)("of %s equal the published vectors", (_, prompt, model, salt, size, want) =>
    expect(hashes(prompt, model, salt, size)).toEqual(want),
  );

  it("stop at the block limit and count all tokens", () => {
    const cut = blockIds([tokens(1, 2, 3), tokens(4)], [2]);
    expect(cut.inputTokens).toBe(4);
    const out = new Uint32Array(8);
    expect(chainBlocks(chainRoot("m", ""), cut.blocks[0].prompts[0].ids, 1, out, 0)).toBe(1);
  });

  it("come with the bytes of all prompts, without what fills up their last tokens", () => {
    const { bytes } = text("five.");
    expect(blockIds([{ bytes, paddingBytes: 3 }, tokens(1, 2)], [])).toEqual({
      inputTokens: 4,
      promptBytes: 13,
      blocks: [],
    });
  });

  it("share exactly the blocks before the first difference", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(), { minLength: 1, maxLength: 60 }),
        fc.nat(59),
        fc.integer({ min: 1, max: 8 }),
        (ids, place, size) => {
          const at = place % ids.length;
          const other = ids.with(at, ids[at] + 1);
          const a = hashes(tokens(...ids), "m", "", size);
          const b = hashes(tokens(...other), "m", "", size);
          return a.every((h, i) => (h === b[i]) === i < Math.floor(at / size));
        },
      ),
    );
  });
});

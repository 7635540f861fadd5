import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MESSAGE_END_ID, tokenizePrompt } from "./chat-template.ts";
import { generateOutput, type OutputLimits } from "./output-text.ts";

const limits: OutputLimits = { tokensMax: 50, naturalTokensMin: 300, naturalTokensMax: 1500, ignoreEnd: false };
const prompt = Uint32Array.from([5, 6, 7]);

describe("generated output", () => {
  it("is the same for the same seed and prompt, and another for another of either", () => {
    const text = (seed: number, ids: readonly number[]): string =>
      generateOutput(seed, Uint32Array.from(ids), false, limits).pieces.join("");
    expect(text(1, [5, 6, 7])).toBe(text(1, [5, 6, 7]));
    expect(new Set([text(1, [5, 6, 7]), text(2, [5, 6, 7]), text(1, [5, 6, 8]), text(1, [5, 6])]).size).toBe(4);
  });

  it("starts with the same words however many tokens are asked for", () => {
    const long = generateOutput(1, prompt, false, limits).pieces.join("");
    expect(long.startsWith(generateOutput(1, prompt, false, { ...limits, tokensMax: 9 }).pieces.join(""))).toBe(true);
  });

  it("is tokenised to the very ids that were generated", () => {
    fc.assert(
      fc.property(fc.array(fc.nat()), fc.integer({ min: 1, max: 400 }), fc.boolean(), (ids, tokensMax, startsWord) => {
        const output = generateOutput(3, Uint32Array.from(ids), startsWord, {
          ...limits,
          tokensMax,
          naturalTokensMin: 1,
        });
        const text = output.pieces.join("");
        const again = [...tokenizePrompt(text).view()];
        if (output.stopped) again.push(MESSAGE_END_ID);
        expect(again).toEqual([...output.tokens]);
        expect(output.tokens.length).toBeLessThanOrEqual(tokensMax);
        if (startsWord) {
          const before = "Some words before";
          expect([...tokenizePrompt(before + text).view()]).toEqual([
            ...tokenizePrompt(before).view(),
            ...output.tokens.slice(0, output.stopped ? -1 : undefined),
          ]);
        }
      }),
    );
  });

  it("ends by itself within its natural range, with the end-of-message token as its last", () => {
    const lengths = Array.from({ length: 300 }, (_, i) => {
      const output = generateOutput(i, prompt, false, { ...limits, tokensMax: 5000 });
      expect([output.stopped, output.tokens.at(-1), output.pieces.at(-1)]).toEqual([true, MESSAGE_END_ID, ""]);
      return output.tokens.length;
    });
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(300);
    expect(Math.min(...lengths)).toBeLessThan(350);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(1500);
    expect(Math.max(...lengths)).toBeGreaterThan(1450);
  });

  it("never ends by itself when told so, but at its limit", () => {
    const output = generateOutput(1, prompt, false, { ...limits, tokensMax: 2000, ignoreEnd: true });
    expect([output.stopped, output.tokens.length, output.tokens.includes(MESSAGE_END_ID)]).toEqual([
      false,
      2000,
      false,
    ]);
  });
});

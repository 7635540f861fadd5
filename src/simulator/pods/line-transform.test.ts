import fc from "fast-check";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { lineTransform } from "./line-transform.ts";

const through = (chunks: readonly Buffer[], charactersMax: number, change: (line: string) => string): Promise<string> =>
  text(Readable.from(chunks).pipe(lineTransform(charactersMax, change)));

/** The bytes of a text, cut where the numbers say. */
function cut(whole: string, at: readonly number[]): Buffer[] {
  const bytes = Buffer.from(whole);
  const ends = [...at.map((n) => n % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end)).filter((chunk) => chunk.length > 0);
}

describe("a stream changed line by line", () => {
  it("gives each line whole, its end with it, and the rest at the end", async () => {
    const lines: string[] = [];
    const note = (line: string): string => (lines.push(line), line.toUpperCase());
    const out = await through([Buffer.from("a"), Buffer.from("b\n\nc"), Buffer.from("d")], 100, note);
    expect([out, lines]).toEqual(["AB\n\nCD", ["ab\n", "\n", "cd"]]);
  });

  it("is the same however its bytes are cut, characters of several bytes too", async () => {
    const parts = fc.array(fc.constantFrom("a", "\n", "é", "🙂", "data: ", '"cached_tokens":5'), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(parts, fc.array(fc.nat()), async (list, cuts) => {
        const whole = list.join("");
        const change = (line: string): string => `<${line}>`;
        const expected =
          whole === ""
            ? ""
            : whole
                .split(/(?<=\n)/)
                .map(change)
                .join("");
        const out = await through(cut(whole, cuts), 1000, change);
        expect(out.replace(/<>$/, "")).toBe(expected);
      }),
    );
  });

  it("passes lines that are too long unchanged, loses nothing, and changes the next", async () => {
    const parts = fc.array(fc.constantFrom("a", "bcd", "\n"), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(parts, fc.array(fc.nat()), async (list, cuts) => {
        const whole = list.join("");
        expect(await through(cut(whole, cuts), 3, (line) => line)).toBe(whole);
      }),
    );
    const out = await through([Buffer.from("abcdef"), Buffer.from("gh\nxy\n")], 3, (line) => line.toUpperCase());
    expect(out).toBe("abcdefgh\nXY\n");
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseGoDuration } from "./go-duration.ts";

describe("a Go duration", () => {
  const table: [string, number][] = [
    ["0", 0],
    ["-0", 0],
    ["200ms", 200_000],
    ["5s", 5_000_000],
    ["1h15m30.918273s", 4_530_918_273],
    ["1.5h", 5_400_000_000],
    [".5s", 500_000],
    ["1.s", 1_000_000],
    ["-1s", -1_000_000],
    ["+1s", 1_000_000],
    ["10us", 10],
    ["10\u00b5s", 10],
    ["10\u03bcs", 10],
    ["1999ns", 1],
    ["2562047h", 2_562_047 * 3_600_000_000],
  ];
  for (const [text, us] of table) it(`${text} is ${us} us`, () => expect(parseGoDuration(text)).toBe(us));

  const refused = [
    "",
    "-",
    "soon",
    "5",
    "5 s",
    "s",
    ".s",
    "1d",
    "1e3s",
    "--1s",
    "1s ",
    "2562048h",
    "9223372036854775808ns",
  ];
  for (const text of refused) it(`"${text}" is none`, () => expect(parseGoDuration(text)).toBeUndefined());

  it("adds up its parts", () => {
    fc.assert(
      fc.property(fc.nat(99), fc.nat(59), fc.nat(59), fc.nat(999), (h, m, s, ms) => {
        expect(parseGoDuration(`${h}h${m}m${s}s${ms}ms`)).toBe(((h * 60 + m) * 60 + s) * 1e6 + ms * 1000);
      }),
    );
  });

  it("never throws", () => {
    fc.assert(fc.property(fc.string(), (text) => void parseGoDuration(text)));
  });
});

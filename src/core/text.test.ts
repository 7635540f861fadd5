import fc from "fast-check";
import { expect, it } from "vitest";
import { bytesOf, textOf } from "./text.ts";

it("turns text into UTF-8 and back, and spans as Node's own decoder does", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme", maxLength: 100 }),
      fc.uint8Array({ maxLength: 100 }),
      fc.nat(100),
      (text, bytes, at) => {
        expect(textOf(bytesOf(text))).toBe(text);
        const start = Math.min(at, bytes.length);
        expect(textOf(bytes, start)).toBe(Buffer.from(bytes.subarray(start)).toString("utf8"));
      },
    ),
  );
});

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PLUGINS } from "../list.ts";
import { PAGE_EXTRACTORS } from "./page-extractors.ts";

const OWNER = { name: "pod-0", labels: {} };
const PAGED = PLUGINS.filter(
  ({ points, payload }) => points.includes("extractor") && /^(metrics|models)$/.test(payload ?? ""),
);
const real = gunzipSync(readFileSync("test/captures/vllm/metrics/under-load.txt.gz"));

/** A page with some of its bytes cut out, put twice or changed. */
const broken = (page: Uint8Array) =>
  fc
    .array(fc.tuple(fc.nat(page.length - 1), fc.nat(40), fc.constantFrom("cut", "twice", "flip"), fc.nat(255)), {
      minLength: 1,
      maxLength: 4,
    })
    .map((edits) => {
      let bytes = [...page];
      for (const [at, length, how, byte] of edits) {
        const [start, end] = [Math.min(at, bytes.length), Math.min(at + length, bytes.length)];
        if (how === "flip" && start < bytes.length) bytes[start] = byte;
        else
          bytes = [
            ...bytes.slice(0, start),
            ...(how === "twice" ? bytes.slice(start, end) : []),
            ...bytes.slice(how === "cut" ? end : start),
          ];
      }
      return Uint8Array.from(bytes);
    });

it("there is a maker for each extractor of pages, and for no other type", () => {
  expect(Object.keys(PAGE_EXTRACTORS).sort()).toEqual(PAGED.map(({ type }) => type).sort());
});

describe.each(PAGED.map((plugin) => [plugin.type, plugin] as const))("%s", (type, { params }) => {
  const make = () => PAGE_EXTRACTORS[type](params.parse({}));

  it("never throws, and gives numbers that are finite or what a 64-bit integer cut off holds", () => {
    const extractor = make();
    expect(extractor.type).toBe(type);
    const pages = fc.oneof(
      fc.uint8Array({ maxLength: 500 }),
      broken(real.subarray(0, 6000)),
      broken(real.subarray(-4000)),
    );
    fc.assert(
      fc.property(pages, (page) => {
        const result = extractor.extract(page, OWNER);
        if ("failed" in result) {
          expect(result.failed.length).toBeLessThan(500);
          return;
        }
        const { attributes = {}, waiting, running, kvUsage } = result.row ?? {};
        const numbers = [...Object.values(attributes), ...[waiting, running, kvUsage].filter((n) => n !== undefined)];
        expect(numbers.every(Number.isFinite)).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  it("tells the same of a page whatever it read before", () => {
    const pages = fc.array(fc.oneof(broken(real.subarray(0, 3000)), fc.constant(real)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(pages, (some) => {
        const extractor = make();
        for (const page of some) expect(extractor.extract(page, OWNER)).toEqual(make().extract(page, OWNER));
      }),
      { numRuns: 50 },
    );
  });
});

import fc from "fast-check";
import { expect, it } from "vitest";
import { FrameWalker } from "./frame-walker.ts";

const frame = fc.record({ type: fc.nat(9), payload: fc.uint8Array({ maxLength: 40 }) });

it("tells each frame's type, however the bytes are cut, and when it stands between two", () => {
  fc.assert(
    fc.property(
      fc.array(frame),
      fc.nat(30),
      fc.infiniteStream(fc.integer({ min: 1, max: 12 })),
      (frames, preface, cuts) => {
        const bytes = Buffer.concat([
          Buffer.alloc(preface, 9),
          ...frames.map(({ type, payload }) =>
            Buffer.concat([Buffer.from([0, 0, payload.length, type, 0, 0, 0, 0, 1]), payload]),
          ),
        ]);
        const ends = new Set([preface]);
        let end = preface;
        for (const { payload } of frames) ends.add((end += 9 + payload.length));
        const types: number[] = [];
        const walker = new FrameWalker(preface, (type) => types.push(type));
        for (let at = 0; at < bytes.length;) {
          const to = Math.min(bytes.length, at + cuts.next().value);
          walker.see(bytes.subarray(at, to));
          at = to;
          expect(walker.isBetweenFrames).toBe(ends.has(at));
        }
        expect(types).toEqual(frames.map(({ type }) => type));
      },
    ),
  );
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MediaSettings } from "../../core/media.ts";
import { DEFAULT_MEDIA } from "../../core/media.ts";
import { estimateParams, mediaSettingsOf } from "../producers/estimate-params.ts";
import { audioTokens, imagePayloadTokens, imageUrlTokens, videoTokens } from "./media-estimate.ts";

/** A PNG of 8 x 6 pixels. */
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAGCAIAAABxZ0isAAAAEklEQVR4nGP4z8CAFTEMLQkAKaEv0TqjSaAAAAAASUVORK5CYII=";

const settings = (estimate: unknown): MediaSettings => mediaSettingsOf(estimateParams.parse(estimate));
const ofUrl = (estimate: unknown, url: string) =>
  imageUrlTokens(settings(estimate), Buffer.from(url), 0, Buffer.from(url).length);
const ofVideo = (video: unknown, headers: Readonly<Record<string, string>> = {}) =>
  videoTokens(settings({ video }), (name) => headers[name.slice("x-llm-d-video-".length)]);

describe("tokens of a picture", () => {
  it.each([
    ["its pixels by 1024", {}, `data:image/png;base64,${PNG}`, 1],
    ["its pixels by the factor, rounded down", { dynamic: { factor: 7 } }, `data:image/png;base64,${PNG}`, 6],
    ["360p when it is elsewhere", {}, "http://x/y.png", 225],
    [
      "the configured size when it is elsewhere",
      { defaultResolution: { width: 100, height: 205 } },
      "http://x/y.png",
      20,
    ],
    [
      "the configured size when its data are broken",
      { defaultResolution: { width: 64, height: 64 } },
      "data:image/png;base64,AAAA",
      4,
    ],
    ["1 at least", { dynamic: { factor: 1_000_000 } }, "http://x/y.png", 1],
    ["the fixed number, whatever its size", { mode: "static", static: { staticToken: 77 } }, "http://x/y.png", 77],
    [
      "the fixed number of a size that is known",
      { mode: "static", static: { staticToken: 3 } },
      `data:image/png;base64,${PNG}`,
      3,
    ],
    ["1 when no number is fixed", { mode: "static" }, "http://x/y.png", 1],
    [
      "by its pixels when the mode is dynamic, whatever is fixed",
      { static: { staticToken: 77 } },
      "http://x/y.png",
      225,
    ],
    [
      "the default where a number is 0 or below",
      { mode: "", defaultResolution: { width: 0, height: -5 }, dynamic: { factor: -1 } },
      "u",
      225,
    ],
  ])("are %s", (_what, image, url, tokens) => {
    expect(ofUrl({ image }, url)).toBe(tokens);
  });

  it("given as bare base64 count the same", () => {
    const of = (image: unknown) => imagePayloadTokens(settings({ image }), Buffer.from(PNG), 0, PNG.length);
    expect(of({ dynamic: { factor: 7 } })).toBe(6);
    expect(of({ mode: "static", static: { staticToken: 9 } })).toBe(9);
  });
});

describe("tokens of a film", () => {
  const strided = { mode: "strided" };
  it.each([
    ["10 s, 2 frames a second, 360p", {}, {}, 20 * 225],
    ["the configured length", { defaultDuration: 3.7 }, {}, 7 * 225],
    ["the header's length first", { defaultDuration: 3 }, { "duration-seconds": "1.5" }, 3 * 225],
    ["the configured rate", { frames: { sampled: { sampleFPS: 0.5 } } }, {}, 5 * 225],
    ["no header's rate when frames are sampled", {}, { fps: "60" }, 20 * 225],
    ["frames merged, rounded down", { frames: { sampled: { sampleFPS: 0.7, temporalPatchSize: 2 } } }, {}, 3 * 225],
    ["24 frames a second when strided", { frames: strided }, {}, 240 * 225],
    ["each so many frames", { frames: { ...strided, strided: { frameStride: 7 } } }, {}, 34 * 225],
    ["the configured source's rate", { frames: { ...strided, strided: { defaultSourceFPS: 2.55 } } }, {}, 25 * 225],
    ["the header's rate first", { frames: { ...strided, strided: { defaultSourceFPS: 2 } } }, { fps: "1" }, 10 * 225],
    [
      "a broken header as none",
      { frames: strided },
      { fps: "-1", "duration-seconds": "long", resolution: "1" },
      240 * 225,
    ],
    ["no fewer frames than asked for", { frames: { minFrames: 30 } }, {}, 30 * 225],
    ["no more frames than asked for", { frames: { maxFrames: 4 } }, {}, 4 * 225],
    ["the upper bound when both clash", { frames: { minFrames: 30, maxFrames: 4 } }, {}, 4 * 225],
    ["bounds before frames are merged", { frames: { maxFrames: 8, sampled: { temporalPatchSize: 4 } } }, {}, 2 * 225],
    [
      "bounds after frames are left out",
      { frames: { ...strided, maxFrames: 9, strided: { frameStride: 2 } } },
      {},
      9 * 225,
    ],
    ["merging of sampled frames alone", { frames: { ...strided, sampled: { temporalPatchSize: 2 } } }, {}, 240 * 225],
    ["the configured size", { defaultResolution: { width: 64, height: 64 } }, {}, 20 * 4],
    ["the header's size first", { defaultResolution: { width: 64, height: 64 } }, { resolution: " 32 x 64" }, 20 * 2],
    ["the factor", { tokensPerFrame: { dynamic: { factor: 2048 } } }, {}, 20 * 112],
    [
      "a fixed number a frame",
      { tokensPerFrame: { mode: "static", static: { numTokensPerFrame: 5 } } },
      { resolution: "9x9" },
      100,
    ],
    ["1 a frame when no number is fixed", { tokensPerFrame: { mode: "static" } }, {}, 20],
    ["no more than the most", { maxVideoTokens: 1000 }, {}, 1000],
    ["1 at least", { defaultDuration: 0.1 }, {}, 1],
    [
      "the default where a number is 0 or below",
      {
        defaultDuration: -1,
        maxVideoTokens: -1,
        frames: { minFrames: -2, maxFrames: 0, sampled: { sampleFPS: 0, temporalPatchSize: 0 } },
      },
      {},
      20 * 225,
    ],
  ])("are by %s", (_what, video, headers, tokens) => {
    expect(ofVideo(video, headers)).toBe(tokens);
  });

  it("are a whole number from 1 to the most, and grow with its length", () => {
    const positive = fc.double({ min: 0.01, max: 1e4, noNaN: true });
    const frames = fc.record({
      mode: fc.constantFrom("sampled", "strided"),
      minFrames: fc.nat(50),
      maxFrames: fc.nat(500),
      sampled: fc.record({ sampleFPS: positive, temporalPatchSize: fc.nat(5) }),
      strided: fc.record({ defaultSourceFPS: positive, frameStride: fc.nat(30) }),
    });
    fc.assert(
      fc.property(frames, fc.nat(5000), positive, positive, (given, maxVideoTokens, seconds, more) => {
        const of = (duration: number) =>
          ofVideo({ frames: given, maxVideoTokens }, { "duration-seconds": duration.toFixed(3) });
        const short = of(seconds);
        const long = of(seconds + more);
        for (const tokens of [short, long]) {
          expect(Number.isInteger(tokens)).toBe(true);
          expect(tokens).toBeGreaterThanOrEqual(1);
          if (maxVideoTokens > 0) expect(tokens).toBeLessThanOrEqual(maxVideoTokens);
        }
        expect(long).toBeGreaterThanOrEqual(short);
      }),
    );
  });
});

describe("the estimate's parameters", () => {
  it("are the stock defaults when there are none", () => {
    expect(settings({})).toEqual(DEFAULT_MEDIA);
    expect(mediaSettingsOf(undefined)).toBe(DEFAULT_MEDIA);
  });

  it.each([
    { image: { mode: "sometimes" } },
    { image: { static: { staticToken: 1.5 } } },
    { image: { defaultResolution: { width: "640" } } },
    { video: { frames: { mode: "all" } } },
    { video: { tokensPerFrame: { mode: "sampled" } } },
    { video: { frames: { sampled: { sampleFPS: Number.POSITIVE_INFINITY } } } },
    { video: { fps: 2 } },
    { audio: {} },
  ])("refuse %j", (estimate) => {
    expect(estimateParams.safeParse(estimate).success).toBe(false);
  });
});

describe("tokens of a sound", () => {
  it("are a quarter of its text, 1 at least", () => {
    expect([0, 1, 4, 5, 400].map(audioTokens)).toEqual([1, 1, 1, 2, 100]);
  });
});

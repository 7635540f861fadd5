import { z } from "zod";
import type { AreaTokens, MediaSettings, PixelSize } from "../../core/media.ts";
import { DEFAULT_MEDIA } from "../../core/media.ts";
import { int, wordOrFirst } from "../params.ts";

/** 0 and below mean the default, as stock. */
const intOr = (fallback: number) => int.default(fallback).transform((value) => (value > 0 ? value : fallback));
const numberOr = (fallback: number) =>
  z
    .number()
    .default(fallback)
    .transform((value) => (value > 0 ? value : fallback));
/** 0 and below mean no bound. */
const bound = int.default(0).transform((value) => Math.max(0, value));

const resolution = z
  .strictObject({
    width: intOr(640).describe("Pixels across."),
    height: intOr(360).describe("Pixels down."),
  })
  .prefault({});

const areaMode = wordOrFirst("dynamic", "static").describe("dynamic: by size; static: a fixed number.");
const factor = z.strictObject({ factor: intOr(1024).describe("Pixels for each token.") }).prefault({});

/**
 * How pictures and films count in the estimate tokeniser (`spec/plugins.md` 6.3). As stock, a number of 0 and below
 * means its default, or no bound.
 */
export const estimateParams = z.strictObject({
  image: z
    .strictObject({
      mode: areaMode,
      defaultResolution: resolution.describe("Size of a picture whose own is not known."),
      static: z.strictObject({ staticToken: intOr(1).describe("Tokens of each picture.") }).prefault({}),
      dynamic: factor,
    })
    .prefault({}),
  video: z
    .strictObject({
      defaultResolution: resolution.describe("Size of a film when no header tells it."),
      defaultDuration: numberOr(10).describe("Seconds of a film when no header tells them."),
      tokensPerFrame: z
        .strictObject({
          mode: areaMode,
          static: z.strictObject({ numTokensPerFrame: intOr(1).describe("Tokens of each frame.") }).prefault({}),
          dynamic: factor,
        })
        .prefault({}),
      frames: z
        .strictObject({
          mode: wordOrFirst("sampled", "strided").describe(
            "sampled: so many a second; strided: every so many of the film's.",
          ),
          minFrames: bound.describe("Least frames of a film; 0 = any number."),
          maxFrames: bound.describe("Most frames of a film; 0 = any number."),
          sampled: z
            .strictObject({
              sampleFPS: numberOr(2).describe("Frames taken of a second."),
              temporalPatchSize: intOr(1).describe("Frames that are merged into one."),
            })
            .prefault({}),
          strided: z
            .strictObject({
              defaultSourceFPS: numberOr(24).describe("Frames of a film's second when no header tells them."),
              frameStride: intOr(1).describe("Of so many frames one is taken."),
            })
            .prefault({}),
        })
        .prefault({}),
      maxVideoTokens: bound.describe("Most tokens of a film; 0 = any number."),
    })
    .prefault({}),
});

type EstimateParams = z.infer<typeof estimateParams>;

/** The settings that the parameters mean. */
export function mediaSettingsOf(estimate: EstimateParams | undefined): MediaSettings {
  if (!estimate) return DEFAULT_MEDIA;
  const { image, video } = estimate;
  const { tokensPerFrame, frames } = video;
  return {
    image: areaTokens(image.mode, image.static.staticToken, image.defaultResolution, image.dynamic.factor),
    frame: areaTokens(
      tokensPerFrame.mode,
      tokensPerFrame.static.numTokensPerFrame,
      video.defaultResolution,
      tokensPerFrame.dynamic.factor,
    ),
    videoSeconds: video.defaultDuration,
    frames:
      frames.mode === "sampled"
        ? { mode: "sampled", perSecond: frames.sampled.sampleFPS, merged: frames.sampled.temporalPatchSize }
        : {
            mode: "strided",
            sourcePerSecond: frames.strided.defaultSourceFPS,
            stride: frames.strided.frameStride,
          },
    framesMin: frames.minFrames,
    framesMax: frames.maxFrames,
    videoTokensMax: video.maxVideoTokens,
  };
}

const areaTokens = (mode: "dynamic" | "static", tokens: number, size: PixelSize, pixelsPerToken: number): AreaTokens =>
  mode === "static" ? { mode, tokens } : { mode, size, pixelsPerToken };

import { z } from "zod";
import { int } from "../params.ts";

const resolution = z
  .strictObject({
    width: int.min(1).default(640).describe("Pixels across."),
    height: int.min(1).default(360).describe("Pixels down."),
  })
  .prefault({});

const mode = z.enum(["dynamic", "static"]).default("dynamic");
const factor = z.strictObject({ factor: int.min(1).default(1024).describe("Pixels for each token.") }).prefault({});

/** How pictures and films count in the estimate tokeniser (`spec/plugins.md` 6.3). */
export const estimateParams = z.strictObject({
  image: z
    .strictObject({
      mode: mode.describe("dynamic: by size; static: a fixed number."),
      defaultResolution: resolution.describe("Size of a picture whose own is not known."),
      static: z.strictObject({ staticToken: int.min(1).default(1).describe("Tokens of each picture.") }).prefault({}),
      dynamic: factor,
    })
    .prefault({}),
  video: z
    .strictObject({
      defaultResolution: resolution.describe("Size of a film whose own is not known."),
      defaultDuration: z.number().min(0).default(10).describe("Seconds of a film whose own length is not known."),
      tokensPerFrame: z
        .strictObject({
          mode,
          static: z.strictObject({ numTokensPerFrame: int.min(1).default(1) }).prefault({}),
          dynamic: factor,
        })
        .prefault({}),
      frames: z
        .strictObject({
          mode: z.enum(["sampled", "strided"]).default("sampled"),
          minFrames: int.min(0).default(0),
          maxFrames: int.min(0).default(0),
          sampled: z
            .strictObject({ sampleFPS: z.number().gt(0).default(2), temporalPatchSize: int.min(1).default(1) })
            .prefault({}),
          strided: z
            .strictObject({ defaultSourceFPS: z.number().gt(0).default(24), frameStride: int.min(1).default(1) })
            .prefault({}),
        })
        .prefault({}),
      maxVideoTokens: int.min(0).default(0).describe("Most tokens of a film; 0 = any number."),
    })
    .prefault({}),
});

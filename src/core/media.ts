import type { PromptTokens } from "./parser.ts";

/** A picture, sound or film in a prompt: its content's hash, and the tokens that stand for it. Never the content. */
export interface PromptMedia {
  /** `image`, `video` or `audio`; whatever the client says in a prompt that it tokenised itself. */
  readonly modality: string;
  /** XXH64 of the content, lower-case hex without padding; the client's own hash in a prompt that it tokenised itself. */
  readonly hash: string;
  /** Its first token's place in the prompt. */
  readonly offsetTokens: number;
  readonly lengthTokens: number;
}

/** A medium of a request. */
export interface MediaItem extends PromptMedia {
  /** Index of the prompt that it stands in. */
  readonly prompt: number;
}

/** Most media that a request tells of, over all its prompts; those beyond count as tokens alone. */
export const REQUEST_MEDIA_MAX = 1024;

/** The media of all prompts in their order; undefined when there are none. */
export function mediaOf(prompts: readonly PromptTokens[]): readonly MediaItem[] | undefined {
  let items: MediaItem[] | undefined;
  for (const [prompt, { media }] of prompts.entries()) {
    for (const item of media ?? []) {
      if (items?.length === REQUEST_MEDIA_MAX) return items;
      (items ??= []).push({ ...item, prompt });
    }
  }
  return items;
}

/** Width and height in pixels. */
export interface PixelSize {
  readonly width: number;
  readonly height: number;
}

/** Tokens of a picture, or of a film's frame: a fixed number, or its pixels shared out. */
export type AreaTokens =
  | { readonly mode: "static"; readonly tokens: number }
  /** `size` counts where its own is not known. */
  | { readonly mode: "dynamic"; readonly size: PixelSize; readonly pixelsPerToken: number };

/** How many tokens stand for media in the estimate tokeniser; a plan may name other settings than the default ones. */
export interface MediaSettings {
  readonly image: AreaTokens;
  readonly frame: AreaTokens;
  /** Length of a film that does not tell its own. */
  readonly videoSeconds: number;
  /** Frames are taken so often a second, or are every so many of those that the film has a second. */
  readonly frames:
    | { readonly mode: "sampled"; readonly perSecond: number; readonly merged: number }
    | { readonly mode: "strided"; readonly sourcePerSecond: number; readonly stride: number };
  /** 0 = no bound. */
  readonly framesMin: number;
  readonly framesMax: number;
  /** Most tokens of a film; 0 = no bound. */
  readonly videoTokensMax: number;
}

const SIZE: PixelSize = { width: 640, height: 360 };

/** The stock EPP's. */
export const DEFAULT_MEDIA: MediaSettings = {
  image: { mode: "dynamic", size: SIZE, pixelsPerToken: 1024 },
  frame: { mode: "dynamic", size: SIZE, pixelsPerToken: 1024 },
  videoSeconds: 10,
  frames: { mode: "sampled", perSecond: 2, merged: 1 },
  framesMin: 0,
  framesMax: 0,
  videoTokensMax: 0,
};

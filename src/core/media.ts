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

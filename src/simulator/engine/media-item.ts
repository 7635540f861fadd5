import { xxh64Text } from "../../core/xxh64.ts";
import type { TokenBuffer } from "./token-buffer.ts";
import { FIRST_PIECE_ID } from "./tokenizer.ts";

/** A picture, sound or film in a prompt: its content as a hash, and how many tokens stand for it. */
export interface MediaItem {
  /** 16 hexadecimal digits; equal content has equal hashes. */
  readonly hash: string;
  readonly tokens: number;
}

/** The item of a content: its URL, or its data. */
export function mediaItem(content: string, tokens: number): MediaItem {
  const [lo, hi] = xxh64Text(content);
  return { hash: hex(hi) + hex(lo), tokens };
}

const hex = (word: number): string => word.toString(16).padStart(8, "0");

const STRIDE = 0x9e3779b1;

/** Token ids that stand for an item: others for each content, so that blocks with one can't be taken for another's. */
export function pushMedia({ hash, tokens }: MediaItem, into: TokenBuffer): void {
  let id = parseInt(hash.slice(0, 8), 16) ^ parseInt(hash.slice(8), 16);
  for (let i = 0; i < tokens; i++) {
    id = (id + STRIDE) >>> 0;
    into.push(FIRST_PIECE_ID + (id >>> 1));
  }
  into.mediaEnd = into.length;
}

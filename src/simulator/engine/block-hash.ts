import { xxh64, xxh64Text } from "../../core/xxh64.ts";

/**
 * Block hashes: a chain, so that equal hashes mean equal prefixes. Hash of a block = XXH64 of its parent's hash (LE64)
 * and its token ids (LE32 each). The root stands for what must differ between caches: model, adapter, salt. (vLLM
 * uses SHA-256 or its own; nobody outside an engine compares them.)
 */
export interface BlockHashes {
  readonly lo: Uint32Array;
  readonly hi: Uint32Array;
}

/** Root of a chain: a pair lo, hi. The parts are kept apart by their lengths. */
export const blockHashRoot = (parts: readonly string[]): Uint32Array =>
  xxh64Text(parts.map((part) => `${part.length}:${part}`).join(""));

/** Hashes of the full blocks of `tokens[0, length)`. */
export function chainBlockHashes(
  tokens: Uint32Array,
  length: number,
  blockSizeTokens: number,
  root: Uint32Array,
): BlockHashes {
  const blocks = Math.floor(length / blockSizeTokens);
  const lo = new Uint32Array(blocks);
  const hi = new Uint32Array(blocks);
  const words = new Uint32Array(2 + blockSizeTokens);
  const bytes = new Uint8Array(words.buffer);
  words.set(root);
  for (let block = 0, at = 0; block < blocks; block++) {
    for (let i = 2; i < words.length; i++) words[i] = tokens[at++];
    xxh64(bytes, 0, bytes.length, words, 0);
    lo[block] = words[0];
    hi[block] = words[1];
  }
  return { lo, hi };
}

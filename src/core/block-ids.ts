import type { PromptTokens } from "./parser.ts";
import type { BlockedPrompts, PromptBlocks } from "./request-facts.ts";
import { xxh64, xxh64Pair, xxh64Text } from "./xxh64.ts";

/** Most blocks that one request is cut into, over all its prompts; what is beyond has no block ids. */
export const REQUEST_BLOCKS_MAX = 1_048_576;

/**
 * Cuts prompts into blocks and hashes each block's tokens (XXH64, seed 0, tokens as little-endian uint32; the shorter
 * last block included): the model-independent half of the stock prefix hash (`approximateprefix`, `prefixhash`).
 */
export function blockIds(
  prompts: readonly PromptTokens[],
  blockSizesTokens: readonly number[],
): { inputTokens: number; promptBytes: number; blocks: BlockedPrompts[] } {
  let inputTokens = 0;
  let promptBytes = 0;
  for (const { bytes, paddingBytes = 0 } of prompts) {
    inputTokens += bytes.length / 4;
    promptBytes += bytes.length - paddingBytes;
  }
  const blocks = blockSizesTokens.map((blockSizeTokens) => {
    let left = REQUEST_BLOCKS_MAX;
    const cut = prompts.map(({ bytes }): PromptBlocks => {
      const count = Math.min(left, Math.ceil(bytes.length / 4 / blockSizeTokens));
      left -= count;
      return { tokens: bytes.length / 4, ids: idsOf(bytes, blockSizeTokens * 4, count) };
    });
    return { blockSizeTokens, prompts: cut };
  });
  return { inputTokens, promptBytes, blocks };
}

function idsOf(bytes: Uint8Array, blockBytes: number, count: number): Uint32Array {
  const ids = new Uint32Array(2 * count);
  for (let i = 0; i < count; i++) {
    xxh64(bytes, i * blockBytes, Math.min(bytes.length, (i + 1) * blockBytes), ids, 2 * i);
  }
  return ids;
}

/** Root of a model's chains: XXH64(model ++ salt), as a pair lo, hi. */
export const chainRoot = (model: string, cacheSalt: string): Uint32Array => xxh64Text(model + cacheSalt);

/**
 * Chains block ids into prefix hashes: h_i = XXH64(LE64(id_i) ++ LE64(h_{i-1})), h_{-1} = root; the root is not
 * emitted. Writes pairs lo, hi to `out` from pair `at`; returns how many.
 */
export function chainBlocks(
  root: Uint32Array,
  ids: Uint32Array,
  blocksMax: number,
  out: Uint32Array,
  at: number,
): number {
  const count = Math.min(blocksMax, ids.length / 2);
  let lo = root[0];
  let hi = root[1];
  for (let i = 0; i < count; i++) {
    const place = 2 * (at + i);
    xxh64Pair(ids[2 * i], ids[2 * i + 1], lo, hi, out, place);
    lo = out[place];
    hi = out[place + 1];
  }
  return count;
}

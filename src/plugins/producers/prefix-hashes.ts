import { chainBlocks, chainRoot } from "../../core/block-ids.ts";
import type { AskValue } from "../../core/events.ts";
import type { AskDraft, PluginRequest } from "../../core/plugin.ts";
import type { PromptBlocks } from "../../core/request-facts.ts";

/** The prefix hashes of all prompts of a request (`spec/plugins.md` 6.1). */
export interface PrefixHashes {
  /** Pairs lo, hi, prompt after prompt. */
  readonly hashes: Uint32Array;
  /** Number of hashes of each prompt. */
  readonly counts: readonly number[];
}

/**
 * The request's prompts in blocks of one size: those that came with it, none when it has no tokens. Undefined when they
 * have to be asked for (`blockIdsAsk`).
 */
export function blocksOf({ facts }: PluginRequest, blockSizeTokens: number): readonly PromptBlocks[] | undefined {
  const blocks = facts.blocks.find((candidate) => candidate.blockSizeTokens === blockSizeTokens);
  return blocks?.prompts ?? (facts.inputTokens === 0 ? [] : undefined);
}

/** Asks the driver for blocks of a size that was not foreseen. */
export const blockIdsAsk = (blockSizeTokens: number): AskDraft => ({
  kind: "blockIds",
  payload: { blockSizeTokens },
});

/** The prompts of an answer `{ prompts: [{ tokens, ids }] }`; undefined when it is no such thing. */
export function promptsOf(answer: AskValue): readonly PromptBlocks[] | undefined {
  const prompts = answer !== null && typeof answer === "object" && "prompts" in answer ? answer.prompts : undefined;
  if (!Array.isArray(prompts)) return undefined;
  const blocks = prompts as readonly Partial<PromptBlocks>[];
  const fine = blocks.every(({ ids, tokens }) => ids instanceof Uint32Array && typeof tokens === "number");
  return fine ? (blocks as readonly PromptBlocks[]) : undefined;
}

/** Chains the first `blocksMax` blocks of each prompt, from the root of the request's model and salt. */
export function prefixHashes(
  request: PluginRequest,
  prompts: readonly PromptBlocks[],
  blocksMax: (prompt: PromptBlocks) => number,
): PrefixHashes {
  const counts = prompts.map((prompt) => Math.min(blocksMax(prompt), prompt.ids.length / 2));
  const hashes = new Uint32Array(2 * counts.reduce((sum, count) => sum + count, 0));
  const root = chainRoot(request.targetModel, request.facts.cacheSalt);
  let at = 0;
  for (const [i, { ids }] of prompts.entries()) at += chainBlocks(root, ids, counts[i], hashes, at);
  return { hashes, counts };
}

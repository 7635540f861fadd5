import { z } from "zod";
import type { PrefixMatch } from "../../core/data-key.ts";
import { DEFAULT_PREFIX_PRODUCER, dataKey, prefixMatchKey, tokenizedPromptKey } from "../../core/data-key.ts";
import type { AskValue } from "../../core/events.ts";
import type { PluginContext, PluginInstance, PluginRequest, ReservedTarget } from "../../core/plugin.ts";
import { PrefixIndex } from "../../core/prefix-index.ts";
import type { PromptBlocks } from "../../core/request-facts.ts";
import { defineProducer } from "../define.ts";
import { PREFIX_INDEX_SIZE } from "../gauges.ts";
import { PluginHistogram, PREFIX_HIT_BYTES, PREFIX_HIT_RATIO } from "../histograms.ts";
import { int } from "../params.ts";
import type { PrefixHashes } from "./prefix-hashes.ts";
import { blockIdsAsk, blocksOf, prefixHashes, promptsOf } from "./prefix-hashes.ts";
import { TOKEN_PRODUCER } from "./token-producer.ts";

/** Smallest block in tokens: an index of smaller ones grows too big, so smaller sizes are raised to it, as stock. */
const BLOCK_SIZE_TOKENS_MIN = 64;
/** No server has larger blocks: what says so is garbage, and would take the in-flight tokens beyond whole numbers. */
const BLOCK_SIZE_TOKENS_MAX = 1_048_576;
const BLOCK_SIZE_TOKENS = 16;
const LRU_CAPACITY_PER_SERVER = 31_250;
/** Most block sizes foreseen at once, for pools whose servers differ; further ones are asked for. */
const BLOCK_SIZES_MAX = 8;
/** Of the estimate tokeniser. */
const BYTES_PER_TOKEN = 4;
const PREFILL_PROFILE = "prefill";

/** Blocks and tokens of a prompt to match at most, where the parameters do not say; 0 = all. */
const MATCH_MAX = { head: { blocks: 2048, tokens: 131_072 }, "v0.7": { blocks: 256, tokens: 0 } } as const;

const fields = {
  autoTune: z.boolean().default(true).describe("Takes block size and number of blocks from the model servers."),
  blockSizeTokens: int.default(BLOCK_SIZE_TOKENS).describe("Tokens in a block; less than 64 means 64."),
  blockSize: int.default(0).describe("Older name of blockSizeTokens; counts when that is left at 16."),
  maxPrefixBlocksToMatch: int
    .min(0)
    .optional()
    .describe("Blocks of a prompt to match when maxPrefixTokensToMatch is 0; 0 = all. Left out: 2048."),
  maxPrefixTokensToMatch: int
    .min(0)
    .optional()
    .describe("Tokens of a prompt to match; 0 = by blocks. Left out: 131072."),
  lruCapacityPerServer: int
    .default(LRU_CAPACITY_PER_SERVER)
    .describe("Blocks remembered for an endpoint that does not tell its number; 0 and below mean the default."),
};

const params = z
  .strictObject({
    ...fields,
    scheme: z
      .enum(["head", "v0.7"])
      .default("head")
      .describe(
        "Not of the stock release. v0.7: as llm-d 0.7 cut prompts; blocks below 64 tokens, none shorter than the others, at most 256 (no limit in tokens) when nothing else is said.",
      ),
  })
  .transform(({ blockSize, ...rest }) =>
    blockSize > 0 && rest.blockSizeTokens === BLOCK_SIZE_TOKENS ? { ...rest, blockSizeTokens: blockSize } : rest,
  )
  .refine(({ autoTune, blockSizeTokens }) => autoTune || blockSizeTokens > 0, {
    path: ["blockSizeTokens"],
    message: "a number above 0 when autoTune is false",
  });

type Params = z.infer<typeof params>;

/**
 * Guesses which endpoint holds which prompt prefix from where earlier requests went.
 *
 * Prompts are cut into blocks of B tokens; B is the block size of the first candidate's server (autoTune, when known)
 * or blockSizeTokens, at least 64. Hashes chain from XXH64(model ++ salt). A prompt is walked until the first hash that
 * no endpoint holds; each hash counts for every endpoint that holds it; prompts add up. At the pick the hashes are
 * added to the LRU of the primary target and of that of profile `prefill`; the size of an endpoint's LRU is set at its
 * first add: its server's number of blocks (autoTune, when known), else lruCapacityPerServer. With scheme v0.7 B may be
 * below 64 and only whole blocks count, as in the index that published experiments ran.
 * Source: requestcontrol/dataproducer/approximateprefix.
 */
export const approxPrefixCacheProducer = defineProducer({
  type: DEFAULT_PREFIX_PRODUCER,
  example: `
plugins:
- type: approx-prefix-cache-producer
  parameters: {autoTune: false, blockSizeTokens: 128, lruCapacityPerServer: 20000}
- type: prefix-cache-scorer
`,
  params,
  stockParams: z.strictObject(fields),
  warnings: ({ scheme, blockSizeTokens }) =>
    scheme === "head" && blockSizeTokens < BLOCK_SIZE_TOKENS_MIN && blockSizeTokens !== BLOCK_SIZE_TOKENS
      ? [`blockSizeTokens is raised to ${BLOCK_SIZE_TOKENS_MIN}, the smallest that is used`]
      : [],
  data: (_params, name) => ({ requires: [tokenizedPromptKey(TOKEN_PRODUCER)], produces: [prefixMatchKey(name)] }),
  create: (parsed, context) => new ApproxPrefixCache(parsed, context),
});

class ApproxPrefixCache implements PluginInstance {
  readonly #params: Params;
  readonly #context: PluginContext;
  readonly #index: PrefixIndex;
  readonly #matchKey;
  readonly #chainedKey;
  readonly #askedKey;
  readonly #hitRatio = new PluginHistogram(PREFIX_HIT_RATIO);
  readonly #hitBytes = new PluginHistogram(PREFIX_HIT_BYTES);
  /** Matched blocks by slot: scratch of one match. */
  #bySlot = new Int32Array(64);

  constructor(parsed: Params, context: PluginContext) {
    this.#params = parsed;
    this.#context = context;
    this.#index = new PrefixIndex({ bytesMax: context.limits.prefixIndexBytesMax });
    this.#matchKey = prefixMatchKey(context.name);
    this.#chainedKey = dataKey<PrefixHashes | undefined>("ApproxPrefixChained", context.name);
    this.#askedKey = dataKey<number>("ApproxPrefixAskedBlockSize", context.name);
  }

  blockSizesTokens(): readonly number[] {
    const { live, slotCount } = this.#context.endpoints;
    const sizes: number[] = [];
    for (let slot = 0; slot < slotCount && sizes.length < BLOCK_SIZES_MAX; slot++) {
      if (!live[slot]) continue;
      const size = this.#blockSizeTokens(slot);
      if (!sizes.includes(size)) sizes.push(size);
    }
    return sizes;
  }

  produce(request: PluginRequest) {
    const { facts, table } = request;
    if (facts.inputTokens < 0) return undefined;
    const blockSizeTokens = this.#blockSizeTokens(table.slots[0]);
    const prompts = blocksOf(request, blockSizeTokens);
    if (prompts) {
      this.#match(request, blockSizeTokens, prompts);
      return undefined;
    }
    request.put(this.#askedKey, blockSizeTokens);
    return blockIdsAsk(blockSizeTokens);
  }

  resume(request: PluginRequest, answer: AskValue) {
    const blockSizeTokens = request.get(this.#askedKey)!;
    const prompts = promptsOf(answer);
    if (!prompts) return `no block ids of ${blockSizeTokens} tokens came in time`;
    this.#match(request, blockSizeTokens, prompts);
    return undefined;
  }

  preRequest(request: PluginRequest, { targets }: { readonly targets: readonly ReservedTarget[] }): void {
    const chained = request.get(this.#chainedKey);
    if (!chained) return;
    this.#measure(request, targets[0]);
    for (const [at, { profile, slot }] of targets.entries()) {
      if (at === 0 || profile === PREFILL_PROFILE) this.#add(slot, chained);
    }
  }

  moved(request: PluginRequest, _from: ReservedTarget, to: ReservedTarget): void {
    const chained = request.get(this.#chainedKey);
    if (chained) this.#add(to.slot, chained);
  }

  responseStarted(request: PluginRequest): void {
    request.put(this.#chainedKey, undefined);
  }

  endpointRemoved(slot: number): void {
    this.#index.removeSlot(slot);
  }

  gaugeRows() {
    return [{ gauge: PREFIX_INDEX_SIZE.name, labels: {}, value: this.#index.size }];
  }

  histograms() {
    return [...this.#hitRatio.rows(), ...this.#hitBytes.rows()];
  }

  gauges() {
    const { size, bytes, limitEvictions } = this.#index;
    return {
      prefix_indexer_size: size,
      prefix_indexer_bytes: bytes,
      prefix_indexer_limit_evictions: limitEvictions,
    };
  }

  #measure(request: PluginRequest, { row }: ReservedTarget): void {
    const { matchBlocks, totalBlocks, blockSizeTokens } = request.get(this.#matchKey)!;
    // As stock: a prompt without blocks has no ratio, and its hits still count as none.
    if (totalBlocks > 0) this.#hitRatio.observe(matchBlocks[row] / totalBlocks);
    this.#hitBytes.observe(matchBlocks[row] * blockSizeTokens * BYTES_PER_TOKEN);
  }

  #blockSizeTokens(slot: number): number {
    const { autoTune, blockSizeTokens, scheme } = this.#params;
    const told = autoTune ? this.#context.endpoints.blockSizeTokens[slot] : 0;
    const usable = told > 0 && told <= BLOCK_SIZE_TOKENS_MAX;
    return Math.max(scheme === "head" ? BLOCK_SIZE_TOKENS_MIN : 1, usable ? told : blockSizeTokens);
  }

  #match(request: PluginRequest, blockSizeTokens: number, prompts: readonly PromptBlocks[]): void {
    const blocksMax = this.#blocksMax(blockSizeTokens);
    const chained = prefixHashes(request, prompts, ({ tokens }) =>
      this.#params.scheme === "head"
        ? blocksMax
        : Math.min(blocksMax, Math.floor(wholeTokens(request, prompts, tokens) / blockSizeTokens)),
    );
    const { slotCount } = this.#context.endpoints;
    if (this.#bySlot.length < slotCount) this.#bySlot = new Int32Array(slotCount * 2);
    this.#bySlot.fill(0, 0, slotCount);
    let from = 0;
    for (const count of chained.counts) {
      this.#index.match(chained.hashes, from, count, this.#bySlot);
      from += count;
    }
    const matchBlocks = request.table.slots.map((slot) => this.#bySlot[slot]);
    const match: PrefixMatch = { matchBlocks, totalBlocks: from, blockSizeTokens };
    request.put(this.#matchKey, match);
    request.put(this.#chainedKey, chained);
  }

  /** A token limit below the block size matches nothing, as stock. */
  #blocksMax(blockSizeTokens: number): number {
    const { scheme, maxPrefixTokensToMatch, maxPrefixBlocksToMatch } = this.#params;
    const tokensMax = maxPrefixTokensToMatch ?? MATCH_MAX[scheme].tokens;
    if (tokensMax > 0) return Math.floor(tokensMax / blockSizeTokens);
    return (maxPrefixBlocksToMatch ?? MATCH_MAX[scheme].blocks) || Number.POSITIVE_INFINITY;
  }

  #add(slot: number, { hashes, counts }: PrefixHashes): void {
    const { autoTune, lruCapacityPerServer } = this.#params;
    const told = autoTune ? this.#context.endpoints.blockCount[slot] : 0;
    const own = lruCapacityPerServer > 0 ? lruCapacityPerServer : LRU_CAPACITY_PER_SERVER;
    let from = 0;
    for (const count of counts) {
      this.#index.add(slot, hashes, from, count, told > 0 ? told : own);
      from += count;
    }
  }
}

/** Tokens of 4 bytes of a prompt. What fills up the last one is known for the only prompt of a request alone. */
function wholeTokens({ facts }: PluginRequest, prompts: readonly PromptBlocks[], tokens: number): number {
  return prompts.length === 1 && facts.promptBytes !== undefined ? Math.floor(facts.promptBytes / 4) : tokens;
}

import { z } from "zod";
import type { CandidateTable } from "../../core/candidates.ts";
import { dataKey, prefixMatchKey, tokenizedPromptKey } from "../../core/data-key.ts";
import type { Micros } from "../../core/env.ts";
import type { AskValue } from "../../core/events.ts";
import type { PluginContext, PluginInstance, PluginRequest } from "../../core/plugin.ts";
import type { PromptBlocks } from "../../core/request-facts.ts";
import { definePlugin } from "../define.ts";
import { int, wordOrFirst } from "../params.ts";
import { blockCount, placeBurst } from "./burst-placement.ts";
import type { PrefixHashes } from "./prefix-hashes.ts";
import { blockIdsAsk, blocksOf, prefixHashes, promptsOf } from "./prefix-hashes.ts";
import { TOKEN_PRODUCER } from "./token-producer.ts";

/** Blocks of a prompt that are compared when maxPrefixTokensToMatch is 0. */
const PREFIX_BLOCKS_MAX = 2048;
/** Most requests of a window when maxBatchSize is -1: those that have gone count until it ends. */
const WINDOW_REQUESTS_MAX = 100_000;
/** Most blocks over all requests of a window (64 MiB of hashes). */
const WINDOW_BLOCKS_MAX = 8_388_608;
const US_PER_MS = 1000;

/** -1 for no limit, or a number from 1. */
const limit = int.refine((value) => value === -1 || value >= 1, "-1, or 1 or more");

const params = z
  .strictObject({
    windowDurationMs: int.min(1).max(10_000).default(100).describe("How long requests wait to be placed together."),
    maxPerReplica: limit.default(-1).describe("Most requests of equal prompts on an endpoint; -1 = any number."),
    blockSizeTokens: int.min(1).default(64).describe("Tokens of a block."),
    maxPrefixTokensToMatch: int.min(0).default(0).describe("Most tokens of a prompt to compare; 0 = 2048 blocks."),
    minColocateBlocks: int
      .min(0)
      .default(0)
      .describe("Equal leading blocks from which different prompts are placed together; 0 = only equal ones."),
    maxBatchSize: limit.default(1000).describe("Most requests of a window; -1 = any number, up to 100000."),
    balanceBy: wordOrFirst("requests", "tokens").describe("What is shared out evenly."),
  })
  .refine(({ maxPrefixTokensToMatch: tokens, blockSizeTokens }) => tokens === 0 || tokens >= blockSizeTokens, {
    path: ["maxPrefixTokensToMatch"],
    message: "0, or at least blockSizeTokens",
  });

type Params = z.infer<typeof params>;

/** Requests that are placed together. */
interface Window {
  readonly sealAtUs: Micros;
  /** Their prefixes, by their place; emptied at the seal. */
  requests: PrefixHashes[];
  blocks: number;
  /** Candidates of the first request that has blocks: the replicas. */
  table: CandidateTable | undefined;
  /** Row in `table` of each request's replica; -1 for none. Undefined before the seal. */
  rows: Int32Array | undefined;
}

/** A request's place in a window. */
interface Place {
  readonly window: Window;
  readonly at: number;
  readonly blocks: number;
}

/**
 * Lets requests of one moment meet: those of equal prompts go to one endpoint, so that the prompt is computed once.
 *
 * A request waits until its window ends, windowDurationMs after the first request of it. Then all its requests are
 * placed jointly (`burst-placement.ts`) over the candidates of the first that has blocks and that are still there:
 * groups of equal prompts, then (minColocateBlocks) single ones that share their beginning. A placed request matches
 * fully on its endpoint and not at all on the others; one that was not placed, or whose endpoint is no candidate of it,
 * nowhere. A full window is a failure, which ends the producers, not the request. The wait ends with the window and no
 * later, so the stock release's time-out of 300 ms more is never reached. Source:
 * requestcontrol/dataproducer/burstprefix.
 */
export const burstPrefixCacheProducer = definePlugin(["producer", "requestControl"], {
  type: "burst-prefix-cache-producer",
  stability: "alpha",
  example: `
plugins:
- type: burst-prefix-cache-producer
  parameters: {windowDurationMs: 50, maxPerReplica: 8, minColocateBlocks: 4}
- type: prefix-cache-scorer
  parameters: {prefixMatchInfoProducerName: burst-prefix-cache-producer}
`,
  params,
  data: (_params, name) => ({ requires: [tokenizedPromptKey(TOKEN_PRODUCER)], produces: [prefixMatchKey(name)] }),
  create: (parsed, context) => new BurstPrefixCache(parsed, context),
});

class BurstPrefixCache implements PluginInstance {
  readonly #params: Params;
  readonly #context: PluginContext;
  readonly #blocksMax: number;
  readonly #requestsMax: number;
  readonly #matchKey;
  readonly #placeKey;
  /** The one that requests join; it may have ended without anyone there. */
  #open: Window | undefined;

  constructor(parsed: Params, context: PluginContext) {
    const { maxPrefixTokensToMatch: tokensMax, blockSizeTokens, maxBatchSize } = parsed;
    this.#params = parsed;
    this.#context = context;
    this.#blocksMax = tokensMax > 0 ? Math.floor(tokensMax / blockSizeTokens) : PREFIX_BLOCKS_MAX;
    this.#requestsMax = maxBatchSize === -1 ? WINDOW_REQUESTS_MAX : maxBatchSize;
    this.#matchKey = prefixMatchKey(context.name);
    this.#placeKey = dataKey<Place | undefined>("BurstPlace", context.name);
  }

  blockSizesTokens(): readonly number[] {
    return [this.#params.blockSizeTokens];
  }

  produce(request: PluginRequest) {
    if (request.facts.inputTokens < 0) return undefined;
    const { blockSizeTokens } = this.#params;
    const prompts = blocksOf(request, blockSizeTokens);
    return prompts ? this.#join(request, prompts) : blockIdsAsk(blockSizeTokens);
  }

  resume(request: PluginRequest, answer: AskValue) {
    const place = request.get(this.#placeKey);
    if (!place) {
      const prompts = promptsOf(answer);
      return prompts
        ? this.#join(request, prompts)
        : `no block ids of ${this.#params.blockSizeTokens} tokens came in time`;
    }
    this.#seal(place.window);
    this.#putMatch(request, place);
    request.put(this.#placeKey, undefined);
    return undefined;
  }

  #join(request: PluginRequest, prompts: readonly PromptBlocks[]) {
    const window = this.#windowAt(request.nowUs);
    if (window.requests.length >= this.#requestsMax) {
      return `burst prefix batch full: maxBatchSize ${this.#requestsMax} reached`;
    }
    const prefix = prefixHashes(request, prompts, () => this.#blocksMax);
    const blocks = blockCount(prefix);
    if (window.blocks + blocks > WINDOW_BLOCKS_MAX) {
      return `burst prefix batch full: ${WINDOW_BLOCKS_MAX} blocks reached`;
    }
    if (blocks > 0) window.table ??= request.table;
    window.blocks += blocks;
    request.put(this.#placeKey, { window, at: window.requests.length, blocks });
    window.requests.push(prefix);
    return { untilUs: window.sealAtUs };
  }

  #windowAt(nowUs: Micros): Window {
    if (!this.#open || this.#open.sealAtUs <= nowUs) {
      const sealAtUs = nowUs + this.#params.windowDurationMs * US_PER_MS;
      this.#open = { sealAtUs, requests: [], blocks: 0, table: undefined, rows: undefined };
    }
    return this.#open;
  }

  #seal(window: Window): void {
    if (window.rows) return;
    const { requests, table } = window;
    const { maxPerReplica, minColocateBlocks, balanceBy } = this.#params;
    const { endpoints, limits } = this.#context;
    const present = table?.present(endpoints);
    const slots = present ? [...present.slots.subarray(0, present.count)] : [];
    const replicas = slots.map((slot) => ({
      id: endpoints.description[slot].id,
      running: endpoints.running[slot] || 0,
    }));
    const placed = placeBurst(requests, replicas, {
      maxPerReplica: maxPerReplica === -1 ? Number.POSITIVE_INFINITY : maxPerReplica,
      minColocateBlocks,
      balancesTokens: balanceBy === "tokens",
      indexBytesMax: limits.prefixIndexBytesMax,
    });
    window.rows = placed.map((replica) => (replica < 0 ? -1 : present!.rows[replica]));
    window.requests = [];
    if (this.#open === window) this.#open = undefined;
  }

  #putMatch(request: PluginRequest, { window, at, blocks }: Place): void {
    const row = window.rows![at];
    const matchBlocks = new Int32Array(request.table.count);
    if (row >= 0) {
      const own = request.table.rowOf(window.table!.slots[row], window.table!.generations[row]);
      if (own >= 0) matchBlocks[own] = blocks;
    }
    const { blockSizeTokens } = this.#params;
    request.put(this.#matchKey, { matchBlocks, totalBlocks: blocks, blockSizeTokens });
  }
}

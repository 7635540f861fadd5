import type { StepTime } from "./step-time.ts";

/**
 * What one vLLM pod's engine takes, does and says. Times are integer microseconds of model time, tokens are counts.
 * The engine never sees token ids: a prompt is a length and the chain of its block hashes (see block-hash.ts).
 */

/** One request. The engine keeps the caller's own object and hands it back in each event; it changes nothing in it. */
export interface EngineRequest {
  /** Unique among the requests that are waiting or running. */
  readonly id: string;
  /** At least 1. */
  readonly promptTokens: number;
  /** Tokens it generates before it ends, at least 1. */
  readonly outputTokens: number;
  /**
   * Chained hashes of the full blocks of prompt and output, low and high halves. It may end early: a block beyond
   * its end is stored and takes space, but can never be hit (output of unknown content, say).
   */
  readonly hashLo: Uint32Array;
  readonly hashHi: Uint32Array;
  /** A peer has computed the prompt: its KV is fetched (`EngineSink.fetchKv`) when the request first leaves the queue. */
  readonly fetchesPrompt?: boolean;
  /** Time that encoding its media adds to its first step, unless their tokens are cached or fetched; microseconds. */
  readonly encodeUs?: number;
  /** Prompt tokens up to the end of the last of them. */
  readonly encodeTokens?: number;
  /** When it has finished its blocks stay in use, for a peer to fetch, until `Engine.releaseHeld`. */
  readonly holdsBlocks?: boolean;
}

export interface EngineOptions {
  /** KV blocks in all; one of them is never used, as in vLLM (its null block). At least 2. */
  readonly gpuBlocks: number;
  /** Tokens a KV block, usually 16. */
  readonly blockSizeTokens: number;
  /** Most requests in one batch (`max_num_seqs`). */
  readonly seqsMax: number;
  /** Token budget of one step (`max_num_batched_tokens`). */
  readonly batchedTokensMax: number;
  /** Most prompt tokens of one request in one step (`long_prefill_token_threshold`); 0 means no such bound. */
  readonly longPrefillTokensMax?: number;
  /** Most tokens of prompt and output of one request (`max_model_len`); they must fit in the KV cache. */
  readonly modelLenTokensMax: number;
  /** Most requests that wait and run at once; one more is refused. */
  readonly requestsMax: number;
  /** How long a step takes; all zero means that no step takes time. */
  readonly stepTime: StepTime;
  /** Default true, as in vLLM. */
  readonly prefixCaching?: boolean;
  /** Whether blocks that hold generated tokens can be hit later. Default true, as in vLLM. */
  readonly cacheGeneratedTokens?: boolean;
}

/**
 * Where `advance` tells what happened, in order of time. It may submit to the engine and cancel in it from inside a
 * call, but not advance it.
 */
export interface EngineSink<R extends EngineRequest> {
  /** The request left the queue; `cachedTokens` of its prompt were found in the cache. `resumed` after a preemption. */
  scheduled(request: R, timeUs: number, cachedTokens: number, resumed: boolean): void;
  /** Output token `index` came out; 0 is the first. */
  token(request: R, timeUs: number, index: number): void;
  finished(request: R, timeUs: number): void;
  /**
   * The request left the queue and has blocks for its whole prompt; what is beyond its first `cachedTokens` tokens is to
   * come from a peer. It waits for `Engine.kvFetched`. Must be there when requests with `fetchesPrompt` are submitted.
   */
  fetchKv?(request: R, timeUs: number, cachedTokens: number): void;
  /** Thrown out of the batch to the front of the queue; it will be computed anew. */
  preempted(request: R, timeUs: number): void;
  /** A step ended: tokens of prompts and output tokens it worked on. */
  stepped?(startUs: number, endUs: number, prefillTokens: number, decodeTokens: number): void;
  /** Blocks `first` to `first + count - 1` of the request can be hit from now on. */
  blocksStored?(request: R, timeUs: number, first: number, count: number): void;
  /** One block with this hash was taken for other use; another block may still hold the same hash. */
  blockRemoved?(timeUs: number, hashLo: number, hashHi: number): void;
  blocksCleared?(timeUs: number): void;
}

/** State and counters, as `/metrics` shows them. Counters never fall. */
export interface EngineSignals {
  /** In the queue, those that wait for a peer's KV among them. */
  readonly waitingRequests: number;
  /** Of these, the ones that wait for a peer's KV. */
  readonly fetchingRequests: number;
  readonly runningRequests: number;
  /** Finished requests whose blocks are held for a peer. */
  readonly heldRequests: number;
  readonly usableBlocks: number;
  readonly freeBlocks: number;
  /** Blocks in use by requests, held ones among them, over usable blocks, 0 to 1. */
  readonly kvUsage: number;
  /** Prompt tokens looked up in the prefix cache, counted once a request when it first leaves the queue. */
  readonly prefixQueriesTokens: number;
  readonly prefixHitsTokens: number;
  /** Prompt tokens of requests that gave their first token. */
  readonly promptTokens: number;
  /** Of these, the ones that were found in the prefix cache. */
  readonly cachedPromptTokens: number;
  /** And the ones that came from a peer. */
  readonly fetchedPromptTokens: number;
  readonly generatedTokens: number;
  readonly preemptions: number;
  readonly steps: number;
}

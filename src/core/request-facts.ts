import type { MediaItem } from "./media.ts";

/** One prompt of a request, cut into blocks of one size. */
export interface PromptBlocks {
  /** Number of tokens of the prompt. */
  readonly tokens: number;
  /**
   * Model-independent ids of its blocks, the shorter last one included: XXH64 over the tokens of each block
   * (`spec/plugins.md` 6.1), as pairs lo, hi.
   */
  readonly ids: Uint32Array;
}

/** All prompts of a request, cut into blocks of `blockSizeTokens`. */
export interface BlockedPrompts {
  readonly blockSizeTokens: number;
  readonly prompts: readonly PromptBlocks[];
}

/**
 * What the core knows of a request: everything that can change its decision, nothing of its text.
 * Plain and serialisable; it is part of the `requestArrived` event.
 */
export interface RequestFacts {
  /** Names the request in events and draws: the driver's sequence number live, the workload's own id in simulation. */
  readonly key: number;
  /** x-request-id. */
  readonly requestId: string;
  /** True for a request without a body (GET): it gets a random endpoint and no scheduling. */
  readonly bodyless: boolean;
  /** Type of the parser that read the body; "" when bodyless. */
  readonly parser: string;
  /** Model named in the body; "" when none. */
  readonly model: string;
  /** True when the model may be rewritten in the body. */
  readonly rewritable: boolean;
  readonly stream: boolean;
  /** -1 when the client does not say. */
  readonly maxOutputTokens: number;
  readonly cacheSalt: string;
  readonly bodyBytes: number;
  /** Tokens over all prompts by the estimate; -1 when the prompt was not tokenised. */
  readonly inputTokens: number;
  /** Bytes of these prompts without what fills up their last tokens; absent = 4 a token. */
  readonly promptBytes?: number;
  /** Block ids for each block size that the driver foresaw. Empty when not tokenised, and once an endpoint is picked. */
  readonly blocks: readonly BlockedPrompts[];
  /** Pictures, sounds and films of all prompts (`REQUEST_MEDIA_MAX`); absent like `blocks`, and when there are none. */
  readonly media?: readonly MediaItem[];
  /** Request headers that the plan names, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** Subset hint: hosts (`ip` or `ip:port`) that may be picked; undefined when there is none. */
  readonly subset?: readonly string[];
  /** Ids of endpoints that failed this request already, in a driver that tries again: no candidates any more. */
  readonly excluded?: readonly string[];
}

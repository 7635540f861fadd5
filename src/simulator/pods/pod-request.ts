import type { EngineRequest } from "../engine/engine-types.ts";
import type { GeneratedOutput } from "../engine/output-text.ts";
import type { GenerationParams } from "./openai-request.ts";

/** A request inside a pod: what the engine needs, what it will answer, and what happened so far (model time). */
export interface PodRequest extends EngineRequest {
  readonly params: GenerationParams;
  /** Token ids of prompt and output: the blocks' contents. */
  readonly tokens: Uint32Array;
  readonly output: GeneratedOutput;
  /** Set when the engine takes it: tokenising and parsing are not engine time. */
  arrivedUs: number;
  state: "waiting" | "running" | "finished" | "aborted";
  /** Tokens that came out of the engine. */
  emittedTokens: number;
  cachedTokens: number;
  /** Prompt tokens whose KV came from a peer. */
  fetchedTokens: number;
  /** Address at which the client reached the pod, where its peers will find it too. */
  readonly reachedAt: string;
  /** `kv_transfer_params` of the answer, set when its blocks are held for a peer. */
  heldParams: unknown;
  preemptions: number;
  scheduledUs: number;
  firstTokenUs: number;
  lastTokenUs: number;
  /** Real time, Unix milliseconds: the body was there; the first token came out. 0 before. */
  receivedWallMs: number;
  firstTokenWallMs: number;
  /** `ec_transfer_params` of the answer, from an encode pod. */
  readonly encodedParams: unknown;
  /** Called after tokens came out, once for all that came at the same call of the engine. */
  onProgress(): void;
  /** Called when it can't be served after all; no more tokens come. */
  onFailed(message: string): void;
}

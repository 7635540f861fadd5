import { blockHashRoot, chainBlockHashes } from "../engine/block-hash.ts";
import type { Engine } from "../engine/engine.ts";
import type { EngineOptions, EngineRequest, EngineSink } from "../engine/engine-types.ts";

/** A small engine for tests: 4 tokens a block, a step takes 10 us and 1 us for each prompt token. */
export const SMALL_ENGINE: EngineOptions = {
  gpuBlocks: 33,
  blockSizeTokens: 4,
  seqsMax: 4,
  batchedTokensMax: 32,
  modelLenTokensMax: 64,
  requestsMax: 100,
  stepTime: { aUs: 10, bUs: 1, qUs: 0, cUs: 0, dUs: 0 },
};

export interface TokenRequest extends EngineRequest {
  /** Ids of prompt and output. */
  readonly tokens: Uint32Array;
}

const ROOT = blockHashRoot(["test"]);

/** A request made of token ids. */
export function requestOf(
  id: string,
  prompt: readonly number[],
  output: readonly number[],
  blockSizeTokens = SMALL_ENGINE.blockSizeTokens,
): TokenRequest {
  const tokens = Uint32Array.from([...prompt, ...output]);
  const { lo, hi } = chainBlockHashes(tokens, tokens.length, blockSizeTokens, ROOT);
  return { id, promptTokens: prompt.length, outputTokens: output.length, hashLo: lo, hashHi: hi, tokens };
}

/** `count` ids from `first` on. */
export const ids = (count: number, first = 100): number[] => Array.from({ length: count }, (_, i) => first + i);

export type LogLine = readonly (string | number | boolean)[];

/** A sink that writes each event as a line. */
export function logSink(lines: LogLine[]): EngineSink<TokenRequest> {
  return {
    scheduled: (request, timeUs, cached, resumed) => lines.push(["scheduled", timeUs, request.id, cached, resumed]),
    token: (request, timeUs, index) => lines.push(["token", timeUs, request.id, index]),
    finished: (request, timeUs) => lines.push(["finished", timeUs, request.id]),
    fetchKv: (request, timeUs, cached) => lines.push(["fetch", timeUs, request.id, cached]),
    preempted: (request, timeUs) => lines.push(["preempted", timeUs, request.id]),
    stepped: (startUs, endUs, prefill, decodes) => lines.push(["step", startUs, endUs, prefill, decodes]),
    blocksStored: (request, timeUs, first, count) => {
      for (let i = first; i < first + count; i++) lines.push(["stored", timeUs, hashName(request, i)]);
    },
    blockRemoved: (timeUs, lo, hi) => lines.push(["removed", timeUs, `${lo}.${hi}`]),
    blocksCleared: (timeUs) => lines.push(["cleared", timeUs]),
  };
}

export const hashName = (request: EngineRequest, block: number): string =>
  `${request.hashLo[block]}.${request.hashHi[block]}`;

/** Advances until nothing is waiting or running; returns the time of the last event. */
export function drain(engine: Engine<TokenRequest>, sink: EngineSink<TokenRequest>): number {
  let nowUs = 0;
  for (let due = engine.nextDueAtUs(); due !== Infinity; due = engine.nextDueAtUs()) {
    nowUs = due;
    engine.advance(nowUs, sink);
  }
  return nowUs;
}

import type { EngineOptions } from "./engine-types.ts";

const COUNTS = ["blockSizeTokens", "seqsMax", "batchedTokensMax", "modelLenTokensMax", "requestsMax"] as const;

/** What is wrong with an engine's options, undefined when nothing is. */
export function engineOptionsProblem(options: EngineOptions): string | undefined {
  const name = COUNTS.find((key) => !Number.isInteger(options[key]) || options[key] < 1);
  if (name) return `${name} is ${options[name]}, must be a whole number of at least 1`;
  if (options.gpuBlocks < 2) return `gpuBlocks is ${options.gpuBlocks}, must be at least 2`;
  const usableTokens = (options.gpuBlocks - 1) * options.blockSizeTokens;
  if (options.modelLenTokensMax <= usableTokens) return undefined;
  return `modelLenTokensMax is ${options.modelLenTokensMax}, but only ${usableTokens} tokens fit in the KV cache`;
}

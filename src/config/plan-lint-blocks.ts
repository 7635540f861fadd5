import type { Lint } from "./plan-lint.ts";
import type { PluginEntry } from "./plugin-entry.ts";

/** Block sizes that vLLM takes (--block-size), in tokens. */
const VLLM_BLOCK_SIZES: ReadonlySet<number> = new Set([1, 8, 16, 32, 64, 128, 256]);
/** Smallest of its usual sizes; the approximate index works with any multiple of the engine's. */
const VLLM_BLOCK_SIZE_TOKENS = 16;

/** A block size that no engine has. */
export const unmatchedBlockSize: Lint = {
  name: "unmatched-block-size",
  doc: "A block size that the engines can't have: prefixes are cut elsewhere than in their caches.",
  find: ({ blueprint }) =>
    blueprint.plugins.flatMap((entry) => {
      const text = entry.path && mismatch(entry);
      return text ? [{ path: [...entry.path, "parameters"], text }] : [];
    }),
};

function mismatch({ name, definition, params }: PluginEntry): string | undefined {
  const size = blockSizeOf(params);
  if (size === undefined) return undefined;
  if (definition.type === "approx-prefix-cache-producer") {
    if (autoTunes(params) || size % VLLM_BLOCK_SIZE_TOKENS === 0) return undefined;
    return `${name} cuts blocks of ${size} tokens, no multiple of vLLM's ${VLLM_BLOCK_SIZE_TOKENS}: their ends fall inside the engine's blocks`;
  }
  if (definition.type !== "precise-prefix-cache-producer" || VLLM_BLOCK_SIZES.has(size)) return undefined;
  return `${name} expects blocks of ${size} tokens, and vLLM's are ${[...VLLM_BLOCK_SIZES].join(", ")}: no block of an engine will match`;
}

const field = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;

const autoTunes = (params: unknown): boolean => field(params, "autoTune") !== false;

/** Of the parameters, or of the token processor's among them. */
function blockSizeOf(params: unknown): number | undefined {
  const processor = field(params, "tokenProcessorConfig");
  const sizes = [processor, params].flatMap((part) => [field(part, "blockSizeTokens"), field(part, "blockSize")]);
  return sizes.find((size): size is number => typeof size === "number" && size > 0);
}

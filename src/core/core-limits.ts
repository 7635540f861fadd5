import type { PluginLimits } from "./plugin.ts";

/** Named limits of a core. */
export interface CoreLimits extends PluginLimits {
  /** Most requests between arrival and end; one more is refused. */
  readonly requestsMax: number;
  /** Decisions whose reasons are kept. */
  readonly decisionsKept: number;
}

export const DEFAULT_CORE_LIMITS: CoreLimits = {
  prefixIndexBytesMax: 256 * 1024 * 1024,
  requestsMax: 100_000,
  decisionsKept: 1024,
};

import type { PluginLimits } from "./plugin.ts";

/** Named limits of a core. */
export interface CoreLimits extends PluginLimits {
  /** Most requests between arrival and end; one more is refused. */
  readonly requestsMax: number;
  /** Decisions whose reasons are kept, at most. */
  readonly decisionsKept: number;
  /** Candidates whose reasons are kept, over all these decisions; about 100 bytes each. At the limit fewer are kept. */
  readonly decisionRowsKept: number;
}

export const DEFAULT_CORE_LIMITS: CoreLimits = {
  prefixIndexBytesMax: 256 * 1024 * 1024,
  requestsMax: 100_000,
  decisionsKept: 1024,
  decisionRowsKept: 262_144,
};

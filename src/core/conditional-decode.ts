import { DEFAULT_PREFIX_PRODUCER, prefixMatchKey } from "./data-key.ts";
import type { PluginRequest } from "./plugin.ts";

/** Request header (RFC 7240) by which a client says that a request is only to go where its prefix is held. */
export const PREFER_HEADER = "prefer";
const IF_AVAILABLE = "if-available";

const matchKey = prefixMatchKey(DEFAULT_PREFIX_PRODUCER);

/**
 * Whether a client wants its answer only from a pod that holds some of the prompt: `if-available` is one of the
 * preferences, in any case, whatever its parameters say (stock: common/routing).
 */
export function isConditional(prefer: string | undefined): boolean {
  if (!prefer) return false;
  return prefer.split(",").some((preference) => preference.split(";", 1)[0].trim().toLowerCase() === IF_AVAILABLE);
}

/** Whether a candidate holds a block of the prompt; false when nobody told. */
export function holdsPrefix(request: PluginRequest, row: number): boolean {
  const match = request.get(matchKey);
  return match !== undefined && match.matchBlocks[row] > 0;
}

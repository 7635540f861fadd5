import type { Endpoints } from "./endpoints.ts";

/**
 * Slots whose address the subset hint names, in the pool's order. Of each hint only what stands before its last colon
 * is compared to the address, as stock (candidates.go): the port does not matter, and IPv6 never matches.
 */
export function subsetSlots(endpoints: Endpoints, subset: readonly string[] | undefined): Int32Array {
  const slots = endpoints.slots();
  if (!subset) return slots;
  const hosts = new Set(subset.map(hostOf));
  return slots.filter((slot) => hosts.has(endpoints.description[slot].address));
}

function hostOf(hint: string): string {
  const colon = hint.lastIndexOf(":");
  return colon < 0 ? hint : hint.slice(0, colon);
}

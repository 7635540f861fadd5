import type { Endpoints } from "./endpoints.ts";
import type { RequestState } from "./request-state.ts";

/**
 * The endpoint that a served address (`ip:port`) means for a request; undefined when it is nobody's.
 *
 * Destinations that the profile handler wrote itself mean the picks that it wrote them for: the port that all ranks of a
 * pod share is the port of one rank as well, and not that rank's work.
 */
export function servedTarget(
  { destinations, targets: [from] }: RequestState,
  served: string,
  endpoints: Endpoints,
): { readonly slot: number; readonly generation: number } | undefined {
  const own = destinations.find(({ destination }) => destination === served);
  if (own) return endpoints.holds(own.slot, own.generation) ? own : undefined;
  // Before the others: two endpoints may have one address.
  if (endpoints.holds(from.slot, from.generation) && endpoints.target[from.slot] === served) return from;
  const slot = endpoints.slots().find((candidate) => endpoints.target[candidate] === served);
  return slot === undefined ? undefined : { slot, generation: endpoints.generation[slot] };
}

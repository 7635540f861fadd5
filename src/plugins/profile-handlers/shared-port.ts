import type { Endpoints } from "../../core/endpoints.ts";
import { hostPort } from "../../core/endpoints.ts";
import type { PluginRequest } from "../../core/plugin.ts";

const RANK_HEADER = "x-data-parallel-host-port";

/** Names the rank that was picked first in a header, and gives the destinations: the picked pods at their shared port. */
export function sharedPort(
  request: PluginRequest,
  { target, description }: Endpoints,
  slots: readonly number[],
  primaryPort: number,
): readonly string[] {
  request.setHeader(RANK_HEADER, target[slots[0]]);
  return slots.map((slot) => hostPort(description[slot].address, primaryPort));
}

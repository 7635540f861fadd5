import type { Candidates } from "../../core/candidates.ts";
import type { Endpoints } from "../../core/endpoints.ts";
import { defineFilter } from "../define.ts";
import { noParams } from "../params.ts";

const HEADER = "test-epp-endpoint-selection";

/**
 * Lets a test choose: keeps the endpoints that the header `test-epp-endpoint-selection` lists, in its order.
 *
 * The list is of `IP` or `IP:port`, divided by commas, IPv6 in brackets where a port follows. Each address counts once;
 * of several endpoints of one address that is named without a port, the last candidate stays. Without the header, or
 * when it is empty, none stays. Of the Gateway API's conformance tests. Source: scheduling/test/filter.
 */
export const headerBasedTestingFilter = defineFilter({
  type: "header-based-testing-filter",
  params: noParams,
  ignoresParams: true,
  headerNames: () => [HEADER],
  create: (_params, { endpoints }) => ({
    filter(request, candidates, keep) {
      const wanted = request.header(HEADER) ?? "";
      const places = placesByHost(candidates, endpoints);
      const taken = new Set<string>();
      let kept = 0;
      for (const item of wanted.split(",")) {
        const place = places.get(keyOf(item.trim()));
        if (place === undefined) continue;
        const { address } = endpoints.description[candidates.slots[place]];
        if (taken.has(address)) continue;
        taken.add(address);
        keep[kept++] = place;
      }
      return kept;
    },
  }),
});

/** Places by `keyOf`, with and without the port. */
function placesByHost({ count, slots }: Candidates, endpoints: Endpoints): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const { address, port } = endpoints.description[slots[i]];
    places.set(address, i);
    places.set(`${address} ${port}`, i);
  }
  return places;
}

/** `host`, or `host port`: of `host:port`, `[host]:port`, `[host]`, and of a bare address of any kind. */
function keyOf(item: string): string {
  const [, host = item, port = ""] = /^\[([^\]]*)\](?::(.*))?$/.exec(item) ?? /^([^:]*):([^:]*)$/.exec(item) ?? [];
  return port === "" ? host : `${host} ${port}`;
}

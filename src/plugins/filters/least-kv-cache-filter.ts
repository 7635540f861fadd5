import { defineFilter } from "../define.ts";
import { signalKey } from "../signals.ts";
import { noParams } from "../params.ts";
import { keepLowestRange } from "./lowest-range.ts";

/**
 * Keeps the endpoints with about the least KV cache in use: at most least + (greatest - least) / N of N candidates; a use
 * never seen counts as 0. Of GIE 0.5, for configs of that time: today `kv-cache-utilization-scorer` prefers such
 * endpoints. Source: scheduling/framework/plugins/filter of GIE 0.5.
 */
export const leastKvCacheFilter = defineFilter({
  type: "least-kv-cache-filter",
  gone: "a type of GIE 0.5; kv-cache-utilization-scorer prefers such endpoints today",
  data: () => ({ wants: [signalKey("KVCacheUsagePercent")] }),
  params: noParams,
  ignoresParams: true,
  create: (_params, { endpoints }) => ({
    filter: (_request, candidates, keep) =>
      keepLowestRange(
        candidates,
        keep,
        (slot) => endpoints.kvUsage[slot],
        (width) => width,
      ),
  }),
});

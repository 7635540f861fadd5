import { defineFilter } from "../define.ts";
import { signalKey } from "../signals.ts";
import { noParams } from "../params.ts";
import { keepLowestRange } from "./lowest-range.ts";

/**
 * Keeps the endpoints with about the fewest waiting requests: at most least + (greatest - least) / N, the quotient cut to
 * a whole number, of N candidates; a queue never seen counts as empty. Of GIE 0.5, for configs of that time: today
 * `queue-scorer` prefers such endpoints. Source: scheduling/framework/plugins/filter of GIE 0.5.
 */
export const leastQueueFilter = defineFilter({
  type: "least-queue-filter",
  gone: "a type of GIE 0.5; queue-scorer prefers such endpoints today",
  data: () => ({ wants: [signalKey("WaitingQueueSize")] }),
  params: noParams,
  ignoresParams: true,
  create: (_params, { endpoints }) => ({
    filter: (_request, candidates, keep) =>
      keepLowestRange(candidates, keep, (slot) => endpoints.waiting[slot], Math.trunc),
  }),
});

import { z } from "zod";
import { defineFilter } from "../define.ts";
import { signalKey } from "../signals.ts";
import { int } from "../params.ts";
import { keepWhere } from "./keep-where.ts";

const params = z.strictObject({
  threshold: int.default(128).describe("Most waiting requests of an endpoint that stays."),
});

/**
 * Keeps the endpoints with at most `threshold` waiting requests; a queue never seen counts as empty. Of GIE 0.5, for
 * configs of that time: today `utilization-filter` does the same. Source: scheduling/framework/plugins/filter of GIE 0.5.
 */
export const lowQueueFilter = defineFilter({
  type: "low-queue-filter",
  gone: "a type of GIE 0.5; utilization-filter does the same today",
  data: () => ({ wants: [signalKey("WaitingQueueSize")] }),
  params,
  create: ({ threshold }, { endpoints }) => ({
    filter: (_request, candidates, keep) => keepWhere(candidates, keep, (slot) => endpoints.waiting[slot] <= threshold),
  }),
});

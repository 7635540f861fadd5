import { z } from "zod";
import type { Endpoints } from "../../core/endpoints.ts";
import { NEVER } from "../../core/endpoints.ts";
import type { Micros } from "../../core/env.ts";
import { defineSaturationDetector } from "../define.ts";
import { goDurationUs, int } from "../params.ts";

const params = z.strictObject({
  queueDepthThreshold: int.min(1).default(5).describe("Waiting requests at which an endpoint is full."),
  kvCacheUtilThreshold: z
    .number()
    .gt(0)
    .max(1)
    .default(0.8)
    .describe("KV cache use at which an endpoint is full, above 0 up to 1."),
  metricsStalenessThreshold: goDurationUs
    .refine((us) => us > 0, "a duration above 0")
    .default(200_000)
    .describe("Signals older than this count as full."),
  headroom: z.number().min(0).default(0).describe("Share by which an endpoint may be over the thresholds as a filter."),
});

/**
 * Tells how full endpoints are from their queues and KV caches.
 *
 * Saturation: mean over the endpoints of max(waiting / queueDepthThreshold, KV use / kvCacheUtilThreshold); 1 for an
 * endpoint whose signals are stale or were never seen, and 1 when there is no endpoint.
 * Filter: keeps what is fresh and below both thresholds times (1 + headroom); when that leaves nothing, keeps all.
 * Source: flowcontrol/saturationdetector/utilization.
 */
export const utilizationDetector = defineSaturationDetector({
  type: "utilization-detector",
  example: `
plugins:
- type: utilization-detector
  parameters: {queueDepthThreshold: 10, kvCacheUtilThreshold: 0.9}
- type: queue-scorer
`,
  params,
  create: ({ queueDepthThreshold, kvCacheUtilThreshold, metricsStalenessThreshold, headroom }, { endpoints }) => ({
    saturation(slots, nowUs) {
      if (slots.length === 0) return 1;
      let sum = 0;
      for (const slot of slots) {
        sum += stale(endpoints, slot, nowUs, metricsStalenessThreshold)
          ? 1
          : Math.max(endpoints.waiting[slot] / queueDepthThreshold, endpoints.kvUsage[slot] / kvCacheUtilThreshold);
      }
      return sum / slots.length;
    },
    filter(request, { count, slots }, keep) {
      const waitingMax = queueDepthThreshold * (1 + headroom);
      const kvUsageMax = kvCacheUtilThreshold * (1 + headroom);
      let kept = 0;
      for (let i = 0; i < count; i++) {
        const slot = slots[i];
        if (stale(endpoints, slot, request.nowUs, metricsStalenessThreshold)) continue;
        if (endpoints.waiting[slot] < waitingMax && endpoints.kvUsage[slot] < kvUsageMax) keep[kept++] = i;
      }
      if (kept > 0) return kept;
      for (let i = 0; i < count; i++) keep[i] = i;
      return count;
    },
  }),
});

function stale(endpoints: Endpoints, slot: number, nowUs: Micros, thresholdUs: Micros): boolean {
  const at = endpoints.updatedAtUs[slot];
  return at === NEVER || nowUs - at > thresholdUs;
}

import { z } from "zod";
import type { Candidates } from "../../core/candidates.ts";
import { draw, drawName } from "../../core/draw.ts";
import type { Endpoints } from "../../core/endpoints.ts";
import { rejectionText } from "../../core/rejection.ts";
import { power } from "../../core/stable-math.ts";
import { defineAdmitter } from "../define.ts";
import { int } from "../params.ts";

const positive = z.number().gt(0);

const params = z.strictObject({
  queueDepthThreshold: int.min(1).default(5).describe("Waiting requests at which an endpoint is full."),
  kvCacheUtilThreshold: positive.default(0.8).describe("KV cache use at which an endpoint is full."),
  power: positive.default(5).describe("Exponent of the saturation."),
  k: positive.default(300).describe("Factor of the power: the chance to refuse a sheddable request."),
});

/**
 * Refuses sheddable requests (priority below 0) the more often the fuller the endpoints are.
 *
 * saturation = mean over the candidates of max(waiting / queueDepthThreshold, KV use / kvCacheUtilThreshold); the chance
 * is min(1, saturation^power * k). A signal never seen counts as 0; a saturation below 0 or that is no number refuses
 * nothing. The chance is a draw of the request, so a replay refuses the same ones.
 * Source: requestcontrol/admitter/probabilisticadmitter.
 */
export const probabilisticAdmitter = defineAdmitter({
  type: "probabilistic-admitter",
  example: `
plugins:
- type: probabilistic-admitter
  parameters: {queueDepthThreshold: 10, power: 3, k: 50}
- type: queue-scorer
`,
  params,
  create: (parsed, { name, seed, endpoints }) => {
    const consumer = drawName(name);
    return {
      deny(request, candidates) {
        if (request.priority >= 0 || candidates.count === 0) return undefined;
        const saturation = saturationOf(parsed, endpoints, candidates);
        const chance = saturation > 0 ? Math.min(1, power(saturation, parsed.power) * parsed.k) : 0;
        if (draw(seed, request.facts.key, 0, consumer, consumer) >= chance) return undefined;
        // The stock's director wraps this error as a text: the client sees 500, not 429.
        return rejectionText({
          code: "ResourceExhausted",
          message: `probabilistic-admitter: rejected, saturation=${saturation.toFixed(3)} prob=${chance.toFixed(2)}`,
        });
      },
    };
  },
});

function saturationOf(
  { queueDepthThreshold, kvCacheUtilThreshold }: z.infer<typeof params>,
  { waiting, kvUsage }: Endpoints,
  { count, slots }: Candidates,
): number {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    sum += Math.max(waiting[slots[i]] / queueDepthThreshold, kvUsage[slots[i]] / kvCacheUtilThreshold);
  }
  return sum / count;
}

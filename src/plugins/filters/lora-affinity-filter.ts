import { z } from "zod";
import { draw, drawName } from "../../core/draw.ts";
import type { LoraSignal } from "../../core/events.ts";
import { defineFilter } from "../define.ts";
import { keepWhere } from "./keep-where.ts";

const params = z.strictObject({
  threshold: z
    .number()
    .default(0.999)
    .describe("Share of requests that go to endpoints with the adapter while others have room for it."),
});

/**
 * Keeps the endpoints that have the request's LoRA adapter, running or waiting; a share of 1 - `threshold` of the
 * requests goes to those with room for it instead (fewer adapters running and waiting than fit). Where there are none of
 * one kind, those of the other stay. An endpoint that tells nothing of adapters is neither.
 *
 * Of GIE 0.5, for configs of that time: today `lora-affinity-scorer` prefers such endpoints.
 * Source: scheduling/framework/plugins/filter of GIE 0.5.
 */
export const loraAffinityFilter = defineFilter({
  type: "lora-affinity-filter",
  gone: "a type of GIE 0.5; lora-affinity-scorer prefers such endpoints today",
  params,
  create: ({ threshold }, { name, seed, endpoints }) => {
    const consumer = drawName(name);
    return {
      filter({ facts, targetModel }, candidates, keep) {
        const having = (slot: number) => hasAdapter(endpoints.lora[slot], targetModel);
        const open = (slot: number) => !having(slot) && hasRoom(endpoints.lora[slot]);
        const opens = keepWhere(candidates, keep, open);
        if (opens > 0 && draw(seed, facts.key, 0, consumer, consumer) >= threshold) return opens;
        return keepWhere(candidates, keep, having) || keepWhere(candidates, keep, open);
      },
    };
  },
});

const hasAdapter = (lora: LoraSignal | undefined, model: string): boolean =>
  lora !== undefined && (lora.active.includes(model) || lora.waiting.includes(model));

const hasRoom = (lora: LoraSignal | undefined): boolean =>
  lora !== undefined && lora.active.length + lora.waiting.length < lora.max;

import type { LoraSignal } from "../../core/events.ts";
import { defineScorer } from "../define.ts";
import { noParams } from "../params.ts";

const LOADED = 1;
const HAS_ROOM = 0.8;
const WAITING = 0.6;

/**
 * Prefers endpoints that have the request's LoRA adapter, then those with room for it.
 *
 * By the model after its rewrite: 1 where it runs; else 0.8 where adapters running and waiting are fewer than fit;
 * else 0.6 where it waits; else 0. An endpoint that tells nothing of adapters scores 0.
 * Source: scheduling/scorer/loraaffinity.
 */
export const loraAffinityScorer = defineScorer({
  type: "lora-affinity-scorer",
  params: noParams,
  ignoresParams: true,
  create: (_params, { endpoints }) => ({
    score({ targetModel }, { count, slots }, out) {
      for (let i = 0; i < count; i++) out[i] = affinity(endpoints.lora[slots[i]], targetModel);
    },
  }),
});

function affinity(lora: LoraSignal | undefined, model: string): number {
  if (!lora) return 0;
  const { active, waiting, max } = lora;
  if (active.includes(model)) return LOADED;
  if (active.length + waiting.length < max) return HAS_ROOM;
  return waiting.includes(model) ? WAITING : 0;
}

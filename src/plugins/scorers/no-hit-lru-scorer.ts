import { z } from "zod";
import { DEFAULT_PREFIX_PRODUCER, dataKey, prefixMatchKey } from "../../core/data-key.ts";
import { defineScorer } from "../define.ts";
import { int, producerName } from "../params.ts";

const LRU_SIZE = 1024;
const PREFILL_PROFILE = "prefill";

const params = z.strictObject({
  lruSize: int
    .default(LRU_SIZE)
    .transform((size) => (size > 0 ? size : LRU_SIZE))
    .describe("Endpoints whose last cold request is remembered; 0 and below mean the default."),
  prefixMatchInfoProducerName: producerName(DEFAULT_PREFIX_PRODUCER).describe(
    "Name of the producer that tells how much of the prompt each endpoint holds.",
  ),
  prefixPluginType: z.string().optional().describe("Ignored; of older releases."),
  prefixPluginName: z.string().optional().describe("Ignored; of older releases."),
});

/**
 * Spreads cold requests (no candidate holds any of the prompt) over the endpoints: the one whose last cold request is
 * the longest ago is the best.
 *
 * Warm request: 0.5 for all. Cold, N candidates: 1 when N = 1; else 1 - rank / (N - 1), not below 0, where endpoints
 * without a cold request rank first, in the order of the candidates, and the others follow by their place in the whole
 * LRU, the oldest first. The pick of a cold request, and that of profile `prefill`, becomes the newest.
 * Source: scheduling/scorer/nohitlru.
 */
export const noHitLruScorer = defineScorer({
  type: "no-hit-lru-scorer",
  example: `
plugins:
- type: no-hit-lru-scorer
  parameters: {lruSize: 256}
- type: prefix-cache-scorer
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: no-hit-lru-scorer
    weight: 2
  - pluginRef: prefix-cache-scorer
    weight: 3
`,
  params,
  data: ({ prefixMatchInfoProducerName }) => ({ requires: [prefixMatchKey(prefixMatchInfoProducerName)] }),
  create: ({ lruSize, prefixMatchInfoProducerName }, { name, endpoints }) => {
    const matchKey = prefixMatchKey(prefixMatchInfoProducerName);
    const coldKey = dataKey<boolean>("NoHitLruCold", name);
    /** Endpoint ids, oldest first. */
    const lru = new Set<string>();
    let places = new Int32Array(0);
    return {
      score(request, candidates, out) {
        const { count, slots, rows } = candidates;
        const matchBlocks = request.get(matchKey)?.matchBlocks;
        let cold = true;
        for (let i = 0; i < count; i++) if ((matchBlocks?.[rows[i]] ?? 0) > 0) cold = false;
        request.put(coldKey, cold);
        if (!cold || count === 1) {
          out.fill(cold ? 1 : 0.5, 0, count);
          return;
        }
        if (places.length < endpoints.slotCount) places = new Int32Array(endpoints.slotCount * 2);
        lruPlaces(lru, (id) => endpoints.slotOf(id), places);
        let neverUsed = 0;
        for (let i = 0; i < count; i++) if (places[slots[i]] < 0) out[i] = 1 - neverUsed++ / (count - 1);
        for (let i = 0; i < count; i++) {
          const place = places[slots[i]];
          if (place >= 0) out[i] = Math.max(0, 1 - (neverUsed + place) / (count - 1));
        }
      },
      preRequest(request, { targets }) {
        if (request.get(coldKey) !== true) return;
        for (const [at, { profile, slot }] of targets.entries()) {
          if (at > 0 && profile !== PREFILL_PROFILE) continue;
          const { id } = endpoints.description[slot];
          lru.delete(id);
          lru.add(id);
          if (lru.size > lruSize) lru.delete(lru.keys().next().value!);
        }
      },
    };
  },
});

/** Writes each endpoint's place in the LRU, oldest 0, by slot; -1 for those that are not in it. */
function lruPlaces(lru: ReadonlySet<string>, slotOf: (id: string) => number, places: Int32Array): void {
  places.fill(-1);
  let place = 0;
  for (const id of lru) {
    const slot = slotOf(id);
    if (slot >= 0) places[slot] = place;
    place++;
  }
}

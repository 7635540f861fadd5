import { draw, drawName } from "../../core/draw.ts";
import { log } from "../../core/stable-math.ts";
import { definePicker } from "../define.ts";
import { pickerParams } from "./picker-params.ts";

/** Stands for a draw of 0, as stock. */
const DRAW_MIN = 1e-10;

/**
 * Picks at random with chances in proportion to the scores, without putting back (Efraimidis and Spirakis, A-Res): the
 * greatest u^(1/score) first, compared as log(u) / score. Candidates with a score of 0 or below come last; when all
 * have one, all chances are equal. Source: scheduling/picker/weightedrandom.
 */
export const weightedRandomPicker = definePicker({
  type: "weighted-random-picker",
  example: `
plugins:
- type: queue-scorer
- type: weighted-random-picker
  parameters: {maxNumOfEndpoints: 2}
`,
  params: pickerParams,
  create: ({ maxNumOfEndpoints }, { name, seed, endpoints }) => {
    const consumer = drawName(name);
    return {
      pick(request, { count, slots }, totals, picks, draws) {
        const keys = new Float64Array(count);
        for (let i = 0; i < count; i++) {
          draws[i] = draw(seed, request.facts.key, 0, consumer, endpoints.draws[slots[i]]);
          keys[i] = totals[i] > 0 ? log(Math.max(draws[i], DRAW_MIN)) / totals[i] : Number.NEGATIVE_INFINITY;
        }
        const order = Array.from({ length: count }, (_, i) => i);
        order.sort((a, b) => (keys[a] === keys[b] ? draws[b] - draws[a] : keys[b] - keys[a]));
        const picked = Math.min(maxNumOfEndpoints, count);
        for (let i = 0; i < picked; i++) picks[i] = order[i];
        return picked;
      },
    };
  },
});

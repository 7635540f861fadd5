import { draw, drawName } from "../../core/draw.ts";
import { definePicker } from "../define.ts";
import { pickerParams } from "./picker-params.ts";

/**
 * Picks at random, whatever the scores: the greatest draws, in order. Source: scheduling/picker/random.
 */
export const randomPicker = definePicker({
  type: "random-picker",
  example: `
plugins:
- type: queue-scorer
- type: random-picker
  parameters: {maxNumOfEndpoints: 2}
`,
  params: pickerParams,
  create: ({ maxNumOfEndpoints }, { name, seed, endpoints }) => {
    const consumer = drawName(name);
    return {
      pick(request, { count, slots }, _totals, picks, draws) {
        for (let i = 0; i < count; i++)
          draws[i] = draw(seed, request.facts.key, 0, consumer, endpoints.draws[slots[i]]);
        const picked = Math.min(maxNumOfEndpoints, count);
        if (picked === 1) {
          let best = 0;
          for (let i = 1; i < count; i++) if (draws[i] > draws[best]) best = i;
          picks[0] = best;
          return 1;
        }
        const order = Array.from({ length: count }, (_, i) => i).sort((a, b) => draws[b] - draws[a]);
        for (let i = 0; i < picked; i++) picks[i] = order[i];
        return picked;
      },
    };
  },
});

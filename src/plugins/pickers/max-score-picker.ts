import type { Candidates } from "../../core/candidates.ts";
import { draw, drawName } from "../../core/draw.ts";
import { definePicker } from "../define.ts";
import { pickerParams } from "./picker-params.ts";

/**
 * Picks the greatest total scores, best first. Of equal ones the greatest draw goes first, so a tie is a fair die and
 * does not depend on the order of the candidates; a score that is not a number goes last.
 * Source: scheduling/picker/maxscore (there: shuffle, then stable sort).
 */
export const maxScorePicker = definePicker({
  type: "max-score-picker",
  example: `
plugins:
- type: queue-scorer
- type: max-score-picker
  parameters: {maxNumOfEndpoints: 2}
`,
  params: pickerParams,
  create: ({ maxNumOfEndpoints }, { name, seed, endpoints }) => {
    const consumer = drawName(name);
    return {
      pick(request, candidates, totals, picks, draws) {
        const { count, slots } = candidates;
        const drawOf = (i: number): number =>
          Number.isNaN(draws[i])
            ? (draws[i] = draw(seed, request.facts.key, 0, consumer, endpoints.draws[slots[i]]))
            : draws[i];
        if (count === 0) return 0;
        if (maxNumOfEndpoints === 1) {
          picks[0] = best(candidates, totals, drawOf);
          return 1;
        }
        const order = Array.from({ length: count }, (_, i) => i);
        order.sort((a, b) => compareScores(totals[a], totals[b]) || drawOf(b) - drawOf(a));
        const picked = Math.min(maxNumOfEndpoints, count);
        for (let i = 0; i < picked; i++) picks[i] = order[i];
        return picked;
      },
    };
  },
});

function best(candidates: Candidates, totals: Float64Array, drawOf: (i: number) => number): number {
  let found = 0;
  for (let i = 1; i < candidates.count; i++) {
    const order = compareScores(totals[i], totals[found]);
    if (order < 0 || (order === 0 && drawOf(i) > drawOf(found))) found = i;
  }
  return found;
}

/** Negative when `a` goes before `b`: the greater first, what is not a number last. */
function compareScores(a: number, b: number): number {
  if (a > b) return -1;
  if (a < b) return 1;
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}

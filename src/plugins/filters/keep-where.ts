import type { Candidates } from "../../core/candidates.ts";

/** Writes the places of the candidates whose slot passes to `keep`, in order; returns how many. */
export function keepWhere({ count, slots }: Candidates, keep: Int32Array, passes: (slot: number) => boolean): number {
  let kept = 0;
  for (let i = 0; i < count; i++) if (passes(slots[i])) keep[kept++] = i;
  return kept;
}

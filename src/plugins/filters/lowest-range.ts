import type { Candidates } from "../../core/candidates.ts";
import { keepWhere } from "./keep-where.ts";

/**
 * Keeps the candidates whose value is in the lowest of as many equal ranges as there are candidates: from the least value
 * on, (greatest - least) / candidates wide. The greatest counts from 0 up, as in GIE 0.5.
 *
 * @param widthOf the width as the formula has it, to the one that counts
 */
export function keepLowestRange(
  candidates: Candidates,
  keep: Int32Array,
  valueOf: (slot: number) => number,
  widthOf: (width: number) => number,
): number {
  let least = Number.POSITIVE_INFINITY;
  let greatest = 0;
  for (let i = 0; i < candidates.count; i++) {
    const value = valueOf(candidates.slots[i]);
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  const most = least + widthOf((greatest - least) / candidates.count);
  return keepWhere(candidates, keep, (slot) => valueOf(slot) <= most);
}

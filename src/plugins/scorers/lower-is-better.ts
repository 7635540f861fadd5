import type { Candidates } from "../../core/candidates.ts";

/**
 * Min-max over the candidates, lower is better: (max - x) / (max - min), in 0..1; 1 for all when they are equal.
 * `values` is a column by slot; a candidate without a value (NaN) scores 0.
 */
export function lowerIsBetter(values: Float64Array, candidates: Candidates, out: Float64Array): void {
  const { count, slots } = candidates;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const value = values[slots[i]];
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const range = max - min;
  for (let i = 0; i < count; i++) {
    const value = values[slots[i]];
    if (Number.isNaN(value)) out[i] = 0;
    else out[i] = range > 0 ? (max - value) / range : 1;
  }
}

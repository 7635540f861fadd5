/** Counts of values by upper bound, with their sum; the last bucket has no bound. */
export class Histogram {
  readonly bounds: readonly number[];
  /** Values in each bucket, not yet cumulative; one more than there are bounds. */
  readonly counts: number[];
  sum = 0;
  count = 0;

  /** `bounds` rise. */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > this.bounds[bucket]) bucket++;
    this.counts[bucket]++;
    this.sum += value;
    this.count++;
  }
}

/** Bounds 1, 2, 5, 10, 20, 50 ... up to `most`. */
export function oneTwoFive(most: number): number[] {
  const bounds: number[] = [];
  for (let decade = 1; ; decade *= 10) {
    for (const step of [1, 2, 5]) {
      if (step * decade > most) return bounds;
      bounds.push(step * decade);
    }
  }
}

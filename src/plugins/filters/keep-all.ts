/** Keeps all candidates, in their order. */
export function keepAll(count: number, keep: Int32Array): number {
  for (let i = 0; i < count; i++) keep[i] = i;
  return count;
}

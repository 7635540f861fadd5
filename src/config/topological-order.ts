/**
 * Puts items behind those that they depend on; otherwise they keep their order. `circle` holds the items that cannot be
 * placed, since they depend on each other; then there is no `order`.
 */
export function topologicalOrder<T>(
  items: readonly T[],
  before: (item: T) => readonly T[],
):
  | { readonly order: readonly T[]; readonly circle?: undefined }
  | { readonly order?: undefined; readonly circle: readonly T[] } {
  const placed = new Set<T>();
  const left = items.map((item) => ({ item, needs: before(item) }));
  while (left.length > 0) {
    const next = left.findIndex(({ needs }) => needs.every((need) => placed.has(need)));
    if (next < 0) return { circle: left.map(({ item }) => item) };
    placed.add(left[next].item);
    left.splice(next, 1);
  }
  return { order: [...placed] };
}

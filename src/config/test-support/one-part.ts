/** Way to a part of a plain value. */
type Path = readonly (string | number)[];

/** The paths of all parts of a plain value, itself included. */
export function partsOf(value: unknown): Path[] {
  if (typeof value !== "object" || value === null) return [[]];
  return [[], ...Object.entries(value).flatMap(([key, part]) => partsOf(part).map((path) => [key, ...path]))];
}

/** A copy of a plain value with the part under a path replaced. */
export function withPart(value: unknown, [step, ...rest]: Path, by: unknown): unknown {
  if (step === undefined) return by;
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }) as Record<string, unknown>;
  copy[step] = withPart(copy[step], rest, by);
  return copy;
}

/** The value of an endpoint's label; undefined when it has none of that name, whatever names every object knows. */
export const labelOf = (labels: Readonly<Record<string, string | undefined>>, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined;

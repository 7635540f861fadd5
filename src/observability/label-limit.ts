/** Distinct values of a model or fairness label before further ones become `other`, as stock (metrics/cardinality.go). */
const LABEL_VALUES_MAX = 1000;
/** Characters of such a value; clients name models and flows as they like, and longer ones become `other`. */
const LABEL_CHARS_MAX = 256;

export const OTHER = "other";

/** Holds one label to a bounded number of values. Returns the value, or `other`. */
export function createLabelLimit(): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.has(value)) return value;
    if (known.size >= LABEL_VALUES_MAX || value.length > LABEL_CHARS_MAX) return OTHER;
    known.add(value);
    return value;
  };
}

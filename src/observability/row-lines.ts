import type { FamilySpec } from "./metric-family.ts";

/** A line of the page whose name has its labels in it already: prom-client, which formats each label anew, adds none. */
export interface PageLine {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, never>>;
  readonly sharedLabels: Readonly<Record<string, never>>;
  readonly value: number;
}

const NONE = {};

/**
 * Lines of one row of a family, labels in the order of their names, as stock. Much cheaper than samples: a page may have
 * half a million of them, and no request is decided while they are made.
 * @param counts by bucket, not cumulative, +Inf last; of a histogram alone
 */
export function rowLines(
  { name, type, labels: names, buckets = [] }: FamilySpec,
  { labels, counts, value }: { labels: readonly string[]; counts: Float64Array; value: number },
): readonly PageLine[] {
  const pairs = names.map((label, i) => [label, `${label}="${escaped(labels[i])}"`] as const);
  const ordered = pairs.toSorted(([a], [b]) => (a < b ? -1 : 1));
  const all = ordered.map(([, text]) => text).join(",");
  const braced = all === "" ? "" : `{${all}}`;
  if (type !== "histogram") return [line(name + braced, value)];
  const before = ordered.flatMap(([label, text]) => (label < "le" ? [`${text},`] : [])).join("");
  const after = ordered.flatMap(([label, text]) => (label < "le" ? [] : [`,${text}`])).join("");
  let count = 0;
  const steps = [...buckets, "+Inf"].map((le, i) => {
    count += counts[i];
    return line(`${name}_bucket{${before}le="${le}"${after}}`, count);
  });
  return [...steps, line(`${name}_sum${braced}`, value), line(`${name}_count${braced}`, count)];
}

const line = (metricName: string, value: number): PageLine => ({ metricName, labels: NONE, sharedLabels: NONE, value });

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');

import type { Metric, Registry } from "prom-client";
import { turnOn } from "./page-turns.ts";
import { type PageLine, rowLines } from "./row-lines.ts";

/** A family as the metrics page declares it. */
export interface FamilySpec {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
  /** Upper bounds of a histogram, ascending, without +Inf. */
  readonly buckets?: readonly number[];
}

/** Rows of one family beyond which values go to the row whose labels are all `other`: a histogram's row is 40 lines. */
export const ROWS_MAX = 1000;

/** Rows above which a family has a turn of the event loop for itself when the page is written. */
const ROWS_AT_ONCE_MAX = 50;
const OTHER = "other";

/**
 * One series, or one histogram, of a family: numbers to add to. prom-client looks a label set up anew for every value,
 * which costs more than the decision itself; a row is looked up once and kept.
 */
export class MetricRow {
  readonly labels: readonly string[];
  /** Counts by bucket, not cumulative, +Inf last; of a histogram alone. */
  readonly counts: Float64Array;
  value = 0;
  readonly #buckets: readonly number[];

  constructor(labels: readonly string[], buckets: readonly number[] | undefined) {
    this.labels = labels;
    this.#buckets = buckets ?? [];
    this.counts = new Float64Array(buckets ? buckets.length + 1 : 0);
  }

  /** Counts up, or changes a gauge by so much. */
  add(by = 1): void {
    this.value += by;
  }

  set(value: number): void {
    this.value = value;
  }

  /** Takes a value into the histogram; what is no number is left out. */
  observe(value: number): void {
    if (Number.isNaN(value)) return;
    let low = 0;
    let high = this.#buckets.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value <= this.#buckets[middle]) high = middle;
      else low = middle + 1;
    }
    this.counts[low]++;
    this.value += value;
  }
}

/** A family whose rows are made as they are first used. It is on the page from its first row on, as stock. */
export class MetricFamily {
  readonly spec: FamilySpec;
  readonly #registry: Registry;
  readonly #rows = new Map<string, MetricRow>();

  constructor(spec: FamilySpec, registry: Registry) {
    this.spec = spec;
    this.#registry = registry;
  }

  /** The row of these label values, in the order of the labels. */
  row(...values: readonly string[]): MetricRow {
    const key = keyOf(values);
    const known = this.#rows.get(key);
    if (known) return known;
    if (this.#rows.size >= ROWS_MAX && values.some((value) => value !== OTHER)) {
      return this.row(...values.map(() => OTHER));
    }
    const row = new MetricRow(values, this.spec.buckets);
    this.#rows.set(key, row);
    if (this.#rows.size === 1) this.#register();
    return row;
  }

  /** Takes a row off the page. */
  drop(...values: readonly string[]): void {
    this.#rows.delete(keyOf(values));
  }

  #register(): void {
    const { name, help, type } = this.spec;
    const get = async () => {
      if (this.#rows.size > ROWS_AT_ONCE_MAX) await turnOn(this.#registry);
      return { name, help, type, values: this.#lines(), aggregator: "sum" };
    };
    // prom-client asks no more of a metric than this.
    this.#registry.registerMetric({ name, help, type, get } as unknown as Metric);
  }

  #lines(): readonly PageLine[] {
    return [...this.#rows.values()].flatMap((row) => rowLines(this.spec, row));
  }
}

/** Puts a family on a page whose samples are made when the page is read. Labels are told in order of their names, as stock. */
export function registerSamples(
  registry: Registry,
  { name, help, type }: Pick<FamilySpec, "name" | "help" | "type">,
  samples: () => readonly Sample[],
): void {
  const get = () => Promise.resolve({ name, help, type, values: samples().map(inOrder), aggregator: "sum" });
  // prom-client asks no more of a metric than this.
  registry.registerMetric({ name, help, type, get } as unknown as Metric);
}

/** The samples of one histogram. @param counts by bucket, not cumulative, +Inf last */
export function histogramSamples(
  name: string,
  labels: Sample["labels"],
  buckets: readonly number[],
  counts: Float64Array,
  sum: number,
): readonly Sample[] {
  let count = 0;
  const steps = [...buckets, "+Inf"].map((le, i) => {
    count += counts[i];
    return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count };
  });
  return [
    ...steps,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}

/** A line of the page, as prom-client takes it. */
export interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName?: string;
}

const inOrder = (sample: Sample): Sample => ({
  ...sample,
  labels: Object.fromEntries(Object.entries(sample.labels).toSorted(([a], [b]) => (a < b ? -1 : 1))),
});

const keyOf = (values: readonly string[]): string => (values.length === 1 ? values[0] : JSON.stringify(values));

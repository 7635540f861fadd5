import type { Registry } from "prom-client";
import { helpOf, olderHelpOf } from "./family-help.ts";
import { MetricFamily, type MetricRow } from "./metric-family.ts";
import type { StockFamily } from "./stock-families.ts";

/** A row under the current name and the one under the deprecated name that holds it. */
export interface TwinRow {
  add(by?: number): void;
  observe(value: number): void;
}

/** A family under its current and its deprecated name; both are told, as stock does. */
export class TwinFamily {
  readonly #current: MetricFamily;
  readonly #deprecated: MetricFamily | undefined;
  /** Places in the current labels of the deprecated ones. */
  readonly #places: readonly number[];
  readonly #rows = new Map<string, TwinRow>();

  constructor(spec: StockFamily, registry: Registry) {
    const { name, help, type, labels, buckets, deprecated } = spec;
    const more = buckets ? { buckets } : {};
    this.#current = new MetricFamily({ name, help: helpOf(help), type, labels, ...more }, registry);
    const pairs = (deprecated?.labels ?? []).map((label) => (typeof label === "string" ? [label, label] : label));
    this.#places = pairs.map(([current]) => labels.indexOf(current));
    if (!deprecated) return;
    const told = olderHelpOf(name, help);
    const names = pairs.map(([, old]) => old);
    this.#deprecated = new MetricFamily({ name: deprecated.name, help: told, type, labels: names, ...more }, registry);
  }

  /** The rows of these label values, in the order of the current labels. */
  row(...values: readonly string[]): TwinRow {
    const key = JSON.stringify(values);
    const known = this.#rows.get(key);
    if (known) return known;
    const current = this.#current.row(...values);
    const row = twin(current, this.#deprecated?.row(...this.#places.map((place) => values[place])));
    // A family that is full gives its row of `other`: it is not remembered under each name that led there.
    if (current.labels.every((value, i) => value === values[i])) this.#rows.set(key, row);
    return row;
  }
}

const twin = (current: MetricRow, deprecated: MetricRow | undefined): TwinRow =>
  deprecated
    ? {
        add(by = 1) {
          current.add(by);
          deprecated.add(by);
        },
        observe(value) {
          current.observe(value);
          deprecated.observe(value);
        },
      }
    : current;

import type { Histogram } from "./histogram.ts";

export type Labels = Readonly<Record<string, string>>;

/** One series of a family: its labels beside the common ones, and its value. */
export type Series = readonly [labels: Labels, value: number];

/**
 * Text of metric families as Python's Prometheus client writes it: labels in alphabetical order, whole numbers with
 * `.0`, large ones with an exponent, and a `_created` gauge after each counter and histogram.
 */
export class MetricsText {
  readonly #lines: string[] = [];
  readonly #common: Labels;
  readonly #createdSeconds: string;

  constructor(common: Labels, createdSeconds: number) {
    this.#common = common;
    this.#createdSeconds = formatNumber(createdSeconds);
  }

  gauge(name: string, help: string, ...series: readonly Series[]): void {
    this.#family(name, "gauge", help);
    for (const [labels, value] of series) this.#sample(name, { ...this.#common, ...labels }, formatNumber(value));
  }

  /** `name` without `_total`. */
  counter(name: string, help: string, ...series: readonly Series[]): void {
    this.#family(`${name}_total`, "counter", help);
    for (const [labels, value] of series) {
      this.#sample(`${name}_total`, { ...this.#common, ...labels }, formatNumber(value));
    }
    this.#created(
      name,
      help,
      series.map(([labels]) => labels),
    );
  }

  histogram(name: string, help: string, histogram: Histogram): void {
    this.#family(name, "histogram", help);
    let cumulative = 0;
    for (const [i, count] of histogram.counts.entries()) {
      cumulative += count;
      const le = i < histogram.bounds.length ? formatNumber(histogram.bounds[i]) : "+Inf";
      this.#sample(`${name}_bucket`, { ...this.#common, le }, formatNumber(cumulative));
    }
    this.#sample(`${name}_count`, this.#common, formatNumber(histogram.count));
    this.#sample(`${name}_sum`, this.#common, formatNumber(histogram.sum));
    this.#created(name, help, [{}]);
  }

  text(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  #created(name: string, help: string, labels: readonly Labels[]): void {
    this.#family(`${name}_created`, "gauge", help);
    for (const own of labels) this.#sample(`${name}_created`, { ...this.#common, ...own }, this.#createdSeconds);
  }

  #family(name: string, type: string, help: string): void {
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
  }

  #sample(name: string, labels: Labels, value: string): void {
    const pairs = Object.keys(labels)
      .sort()
      .map((key) => `${key}="${escapeLabel(labels[key])}"`);
    this.#lines.push(`${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`);
  }
}

const escapeLabel = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');

/** As Python's client: 8.0, 0.5, and from a million on 1.234567e+06. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  if (value < 1e6) return Number.isInteger(value) ? `${value}.0` : String(value);
  const [mantissa, exponent] = value.toExponential().split("e+");
  return `${mantissa.includes(".") ? mantissa : `${mantissa}.0`}e+${exponent.padStart(2, "0")}`;
}

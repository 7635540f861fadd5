import type { CustomMetric } from "./engine-configs.ts";
import { selectorOf } from "./metric-spec.ts";
import { MetricsPageReader } from "./metrics-page.ts";
import type { Extraction, ExtractionFailure } from "./page-extractor.ts";

/** Reads numbers from a page into attributes, and nothing else. */
export class AttributeSignals {
  readonly #metrics: readonly CustomMetric[];
  readonly #reader: MetricsPageReader;

  constructor(metrics: readonly CustomMetric[]) {
    this.#metrics = metrics;
    this.#reader = new MetricsPageReader(metrics.map(({ metricSpec }) => selectorOf(metricSpec)));
  }

  extract(page: Uint8Array): Extraction | ExtractionFailure {
    const failed = this.#reader.read(page);
    if (failed !== undefined) return { failed };
    const attributes: Record<string, number> = {};
    const errors: string[] = [];
    for (const [k, { attributeKey, metricSpec }] of this.#metrics.entries()) {
      const finding = this.#reader.finding(k);
      const value = this.#reader.value(k);
      if (finding !== "series") errors.push(`Cannot find ${metricSpec}: the page has ${finding} of it`);
      else if (Number.isFinite(value)) attributes[attributeKey] = value;
      else errors.push(`Cannot use ${value} as ${attributeKey}: expected a finite number`);
    }
    return Object.keys(attributes).length > 0 ? { row: { attributes, aside: true }, errors } : { errors };
  }
}

import type { HistogramRow } from "../core/plugin.ts";

/** A family of histograms on the metrics page that plugins fill; plugin_name and plugin_type are its labels. */
export interface HistogramFamily {
  readonly name: string;
  /** The same once more under the name of older releases, without labels. */
  readonly olderName: string;
  readonly help: string;
  /** Upper bounds, ascending, without +Inf. */
  readonly buckets: readonly number[];
}

const DOUBLINGS = Array.from({ length: 13 }, (_, i) => 16 << i);

export const PREFIX_HIT_RATIO: HistogramFamily = {
  name: "llm_d_epp_prefix_indexer_hit_ratio",
  olderName: "inference_extension_prefix_indexer_hit_ratio",
  help: "Share of a prompt's blocks that the picked endpoint is thought to hold.",
  buckets: [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
};

export const PREFIX_HIT_BYTES: HistogramFamily = {
  name: "llm_d_epp_prefix_indexer_hit_bytes",
  olderName: "inference_extension_prefix_indexer_hit_bytes",
  help: "Bytes of a prompt that the picked endpoint is thought to hold.",
  buckets: [0, ...DOUBLINGS],
};

/** All of them. */
export const PLUGIN_HISTOGRAMS: readonly HistogramFamily[] = [PREFIX_HIT_RATIO, PREFIX_HIT_BYTES];

/** What a plugin has put into a histogram. */
export class PluginHistogram {
  readonly #family: HistogramFamily;
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(family: HistogramFamily) {
    this.#family = family;
    this.#counts = new Float64Array(family.buckets.length + 1);
  }

  observe(value: number): void {
    const bucket = this.#family.buckets.findIndex((bound) => value <= bound);
    this.#counts[bucket < 0 ? this.#counts.length - 1 : bucket]++;
    this.#sum += value;
  }

  /** Nothing before the first value: the page has no empty histograms. */
  rows(): readonly HistogramRow[] {
    const isEmpty = this.#counts.every((count) => count === 0);
    return isEmpty ? [] : [{ histogram: this.#family.name, counts: this.#counts, sum: this.#sum }];
  }
}

import type { LoraSignal } from "../../core/events.ts";
import type { Extraction, ExtractionFailure, Signals } from "./page-extractor.ts";
import type { EngineConfig } from "./engine-configs.ts";
import { selectorOf } from "./metric-spec.ts";
import { MetricsPageReader } from "./metrics-page.ts";
import type { SeriesSelector } from "./page-series.ts";

/** What Go makes of a number that no 64-bit integer holds, on amd64 (as recorded). */
const NO_INTEGER = -9_223_372_036_854_775_808;
const LORA_LABELS = ["running_lora_adapters", "waiting_lora_adapters", "max_lora"];
/** `max` of adapters when the page does not tell it: the last one holds. */
const LORA_MAX_UNTOLD = -1;

type Draft = { -readonly [K in keyof Signals]: Signals[K] };

/** One wanted signal: the selectors that may give it, in order of preference, and what to do with it. */
interface Wanted {
  readonly specs: readonly string[];
  readonly selectors: readonly number[];
  /** True when a page may lack it without an error. */
  readonly optional: boolean;
  readonly take: (reader: MetricsPageReader, selector: number, into: Draft, errors: string[]) => void;
}

/** Reads one kind of model server's signals. */
export class EngineSignals {
  readonly #reader: MetricsPageReader;
  readonly #wanted: readonly Wanted[];

  /** @param oldKvUsageSpec Where the KV cache's use stands when the config's spec finds nothing; "" for nowhere. */
  constructor(config: EngineConfig, oldKvUsageSpec: string) {
    const selectors: SeriesSelector[] = [];
    this.#wanted = wantedSignals(config, oldKvUsageSpec, selectors);
    this.#reader = new MetricsPageReader(selectors);
  }

  extract(page: Uint8Array): Extraction | ExtractionFailure {
    const reader = this.#reader;
    const failed = reader.read(page);
    if (failed !== undefined) return { failed };
    const row: Draft = {};
    const errors: string[] = [];
    let updated = false;
    for (const wanted of this.#wanted) {
      const selector = wanted.selectors.find((k) => reader.finding(k) === "series");
      if (selector !== undefined) {
        updated = true;
        wanted.take(reader, selector, row, errors);
      } else if (!wanted.optional) errors.push(missing(wanted, reader));
    }
    return updated ? { row, errors } : { errors };
  }
}

function wantedSignals(config: EngineConfig, oldKvUsageSpec: string, selectors: SeriesSelector[]): Wanted[] {
  const wanted: Wanted[] = [];
  const want = (
    specs: readonly string[],
    take: Wanted["take"],
    keep: readonly string[] = [],
    choose: SeriesSelector["choose"] = "latest",
  ) => {
    const named = specs.filter((spec) => spec !== "");
    if (named.length === 0) return;
    const from = selectors.length;
    for (const spec of named) selectors.push(selectorOf(spec, choose, keep));
    wanted.push({ specs: named, selectors: named.map((_, k) => from + k), optional: choose === "greatest", take });
  };
  want([config.queuedRequestsSpec], (reader, k, into) => (into.waiting = integer(reader.value(k))));
  want([config.runningRequestsSpec], (reader, k, into) => (into.running = integer(reader.value(k))));
  want([config.kvUsageSpec, oldKvUsageSpec], (reader, k, into, errors) => {
    const value = reader.value(k);
    if (Number.isFinite(value)) into.kvUsage = value;
    else errors.push(`Cannot use ${value} as use of the KV cache: expected a number from 0 to 1`);
  });
  want([config.loraSpec], takeLora, LORA_LABELS, "greatest");
  want([config.cacheInfoSpec], takeCacheInfo, [
    config.cacheBlockSizeLabelName || "block_size",
    config.cacheNumBlocksLabelName || "num_gpu_blocks",
  ]);
  want([config.cacheBlockSizeSpec], (reader, k, into) => (into.blockSizeTokens = integer(reader.value(k))));
  want([config.cacheNumBlocksSpec], (reader, k, into) => (into.blockCount = integer(reader.value(k))));
  for (const { attributeKey, metricSpec } of config.customMetrics) {
    want([metricSpec], (reader, k, into, errors) => {
      const value = reader.value(k);
      if (Number.isFinite(value)) into.attributes = { ...into.attributes, [attributeKey]: value };
      else
        errors.push(`Cannot use ${value} as custom metric ${JSON.stringify(attributeKey)}: expected a finite number`);
    });
  }
  return wanted;
}

/** LoRA adapters stand in the labels of the series with the greatest value, which is its time. */
function takeLora(reader: MetricsPageReader, k: number, into: Draft, errors: string[]): void {
  const max = reader.label(k, 2) ?? "";
  into.lora = {
    active: adapters(reader.label(k, 0)),
    waiting: adapters(reader.label(k, 1)),
    max: max === "" ? LORA_MAX_UNTOLD : labelInteger(LORA_LABELS[2], max, errors),
  } satisfies LoraSignal;
}

function takeCacheInfo(reader: MetricsPageReader, k: number, into: Draft, errors: string[]): void {
  const size = reader.label(k, 0) ?? "";
  const count = reader.label(k, 1) ?? "";
  // As stock: without a size the size is 0, without a count the last one stays.
  into.blockSizeTokens = size === "" ? 0 : Math.max(labelInteger("the KV block size", size, errors), 0);
  const blockCount = count === "" ? -1 : labelInteger("the number of KV blocks", count, errors);
  if (blockCount >= 0) into.blockCount = blockCount;
}

/** A whole number from a label; below 0 counts as 0, and -1 is returned, with an error, when it is none. */
function labelInteger(what: string, text: string, errors: string[]): number {
  if (/^[+-]?\d{1,18}$/.test(text)) return Math.max(Number(text), 0);
  errors.push(`Cannot read ${what}: expected a whole number, found ${JSON.stringify(text.slice(0, 40))}`);
  return -1;
}

function adapters(list: string | undefined): readonly string[] {
  if (list === undefined || list === "") return [];
  return [...new Set(list.split(",").map((name) => name.trim()))].filter((name) => name !== "");
}

/** A gauge's value cut to a whole number, as Go on amd64 does it. */
function integer(value: number): number {
  return value >= NO_INTEGER && value < -NO_INTEGER ? Math.trunc(value) + 0 : NO_INTEGER;
}

function missing(wanted: Wanted, reader: MetricsPageReader): string {
  const name = wanted.specs.map((spec) => JSON.stringify(spec)).join(" or ");
  const family = wanted.selectors.some((k) => reader.finding(k) === "no series");
  return family ? `Cannot find a series that matches ${name}` : `Cannot find the metric ${name} on the page`;
}

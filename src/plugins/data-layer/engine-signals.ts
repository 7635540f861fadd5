import type { LoraSignal } from "../../core/events.ts";
import type { Extraction } from "./core-metrics-extractor.ts";
import type { EngineConfig } from "./engine-configs.ts";
import { parseMetricSpec } from "./metric-spec.ts";
import { MetricsPageReader } from "./metrics-page.ts";
import type { SeriesSelector } from "./page-series.ts";

/** What Go makes of a number that no 64-bit integer holds, on amd64 (as recorded). */
const NO_INTEGER = -(2 ** 63);
const LORA_LABELS = ["running_lora_adapters", "waiting_lora_adapters", "max_lora"];
/** `max` of adapters when the page does not tell it: the last one holds. */
const LORA_MAX_UNTOLD = -1;

type Draft = { -readonly [K in keyof NonNullable<Extraction["signals"]>]: NonNullable<Extraction["signals"]>[K] };

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

  /** Signals of a page; a string when the page as a whole is refused. */
  extract(page: Uint8Array): Extraction | string {
    const reader = this.#reader;
    const failure = reader.read(page);
    if (failure !== undefined) return failure;
    const signals: Draft = {};
    const errors: string[] = [];
    let updated = false;
    for (const wanted of this.#wanted) {
      const selector = wanted.selectors.find((k) => reader.finding(k) === "series");
      if (selector !== undefined) {
        updated = true;
        wanted.take(reader, selector, signals, errors);
      } else if (!wanted.optional) errors.push(missing(wanted, reader));
    }
    return { signals: updated ? signals : undefined, errors };
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

function selectorOf(spec: string, choose: SeriesSelector["choose"], keep: readonly string[]): SeriesSelector {
  const parsed = parseMetricSpec(spec);
  if (typeof parsed === "string") throw new Error(parsed);
  return { ...parsed, choose, keep };
}

/** LoRA adapters stand in the labels of the series with the greatest value, which is its time. */
function takeLora(reader: MetricsPageReader, k: number, into: Draft, errors: string[]): void {
  const max = reader.label(k, 2) ?? "";
  into.lora = {
    active: adapters(reader.label(k, 0)),
    waiting: adapters(reader.label(k, 1)),
    max: max === "" ? LORA_MAX_UNTOLD : labelInteger(LORA_LABELS[2], max, errors, LORA_MAX_UNTOLD),
  } satisfies LoraSignal;
}

function takeCacheInfo(reader: MetricsPageReader, k: number, into: Draft, errors: string[]): void {
  const size = reader.label(k, 0) ?? "";
  const count = reader.label(k, 1) ?? "";
  // As stock: without a size the size is 0, without a count the last one stays.
  into.blockSizeTokens = size === "" ? 0 : labelInteger("KV block size", size, errors, 0);
  if (count === "") return;
  const blocks = labelInteger("KV block count", count, errors, -1);
  if (blocks >= 0) into.blockCount = blocks;
}

function labelInteger(what: string, text: string, errors: string[], otherwise: number): number {
  if (/^[+-]?\d{1,18}$/.test(text)) return Number(text);
  errors.push(`Cannot read ${what}: expected a whole number, found ${JSON.stringify(text)}`);
  return otherwise;
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

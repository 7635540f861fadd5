import { parseArgs } from "node:util";
import { didYouMean } from "../config/did-you-mean.ts";
import type { EngineOptions } from "../simulator/engine/engine-types.ts";
import { ENGINE_PRESETS, findEnginePreset } from "../simulator/engine/presets.ts";
import { TIME_SCALE_MAX, TIME_SCALE_MIN } from "../simulator/pods/model-clock.ts";
import { fleetPods, GPU_DEFAULT, MODEL_DEFAULT, podSettings, type PodsOptions } from "../simulator/pods/start-pods.ts";
import { createEngine } from "../simulator/engine/engine.ts";

export interface PodsArgs {
  readonly options: PodsOptions;
  readonly endpointsFile: string | undefined;
  readonly listPresets: boolean;
}

const text = { type: "string" } as const;
const flag = { type: "boolean", default: false } as const;
const OPTIONS = {
  count: text,
  prefill: text,
  decode: text,
  encode: text,
  both: text,
  host: text,
  "base-port": text,
  "name-prefix": text,
  "write-endpoints": text,
  model: text,
  gpu: text,
  "list-presets": flag,
  "served-model-name": text,
  "time-scale": text,
  seed: text,
  "natural-tokens": text,
  "lora-modules": text,
  "max-loras": text,
  "block-size": text,
  "num-gpu-blocks": text,
  "max-num-seqs": text,
  "max-num-batched-tokens": text,
  "long-prefill-token-threshold": text,
  "max-model-len": text,
  "no-prefix-caching": flag,
  "no-cache-generated": flag,
  "kv-usage-metric": text,
  "no-prompt-tokens-details": flag,
  "max-requests": text,
  "max-body-bytes": text,
  "kv-gigabytes-per-second": text,
  "kv-latency-ms": text,
  "kv-hold-seconds": text,
  "max-kv-transfers": text,
  "max-kv-holds": text,
  "kv-load-failure-policy": text,
  "prefill-failure": text,
  "media-tokens": text,
  "encode-ms": text,
} as const;

const BASE_PORT_DEFAULT = 8000;
const PODS_MAX = 1000;
const PORT_MAX = 65_535;
const KV_USAGE_METRICS = ["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"] as const;
const LOAD_FAILURES = ["recompute", "fail"] as const;
const PREFILL_FAILURES = ["decode", "error"] as const;

/** Reads the options of `warmpath pods`; all that is wrong with them is found at once. */
export function parsePodsArgs(argv: readonly string[]): PodsArgs | { readonly problems: readonly string[] } {
  const parsed = parse(argv);
  if (typeof parsed === "string") return { problems: [parsed] };
  const read = new OptionReader(parsed);
  const options = readOptions(read);
  if (read.problems.length === 0) checkTogether(options, read.problems);
  if (read.problems.length > 0) return { problems: read.problems };
  return { options, endpointsFile: parsed["write-endpoints"], listPresets: parsed["list-presets"] };
}

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

function parse(argv: readonly string[]): Values | string {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS }).values;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const unknown = /Unknown option '(-[^']*)'/.exec(message)?.[1];
    if (unknown === undefined) return message.split(". ")[0];
    const near = didYouMean(unknown.replace(/^-+/, ""), Object.keys(OPTIONS));
    return `unknown option ${unknown}${near ? `; did you mean --${near}?` : ""}`;
  }
}

function readOptions(read: OptionReader): PodsOptions {
  const { values } = read;
  const naturalTokens = read.range("natural-tokens");
  const engine: Partial<EngineOptions> = defined({
    gpuBlocks: read.count("num-gpu-blocks", 2, 100_000_000),
    seqsMax: read.count("max-num-seqs", 1, 1_000_000),
    batchedTokensMax: read.count("max-num-batched-tokens", 1, 1_000_000),
    longPrefillTokensMax: read.count("long-prefill-token-threshold", 0, 1_000_000),
    modelLenTokensMax: read.count("max-model-len", 2, 10_000_000),
    requestsMax: read.count("max-requests", 1, 1_000_000),
    prefixCaching: values["no-prefix-caching"] ? false : undefined,
    cacheGeneratedTokens: values["no-cache-generated"] ? false : undefined,
  });
  const encodeMs = read.number("encode-ms", 0, 600_000);
  return defined({
    count: read.count("count", 1, PODS_MAX),
    roles: anyOf({
      prefill: read.count("prefill", 0, PODS_MAX),
      decode: read.count("decode", 0, PODS_MAX),
      encode: read.count("encode", 0, PODS_MAX),
      both: read.count("both", 0, PODS_MAX),
    }),
    kvTransfer: readKvTransfer(read),
    sidecar: anyOf({ prefillFailure: read.choice("prefill-failure", PREFILL_FAILURES) }),
    host: values.host,
    basePort: read.count("base-port", 0, PORT_MAX) ?? BASE_PORT_DEFAULT,
    namePrefix: values["name-prefix"],
    ...read.preset(),
    servedModelName: values["served-model-name"],
    timeScale: read.timeScale(),
    seed: read.count("seed", 0, 0xffff_ffff),
    naturalTokensMin: naturalTokens?.[0],
    naturalTokensMax: naturalTokens?.[1],
    loraAdapters: values["lora-modules"]?.split(",").filter((name) => name !== ""),
    lorasMax: read.count("max-loras", 1, 1000),
    blockSizeTokens: read.count("block-size", 1, 4096),
    kvUsageMetric: read.choice("kv-usage-metric", KV_USAGE_METRICS),
    promptTokensDetails: values["no-prompt-tokens-details"] ? false : undefined,
    mediaTokens: read.count("media-tokens", 0, 100_000),
    encodeUs: encodeMs === undefined ? undefined : encodeMs * 1000,
    bodyBytesMax: read.count("max-body-bytes", 1, 1024 * 1024 * 1024),
    engine,
  });
}

function readKvTransfer(read: OptionReader): PodsOptions["kvTransfer"] {
  const gigabytes = read.number("kv-gigabytes-per-second", 0.001, 100_000);
  const latencyMs = read.number("kv-latency-ms", 0, 600_000);
  const holdSeconds = read.number("kv-hold-seconds", 0.001, 1_000_000);
  return anyOf({
    bytesPerSecond: gigabytes === undefined ? undefined : gigabytes * 1e9,
    latencyUs: latencyMs === undefined ? undefined : latencyMs * 1000,
    holdUsMax: holdSeconds === undefined ? undefined : holdSeconds * 1_000_000,
    transfersMax: read.count("max-kv-transfers", 1, 100_000),
    holdsMax: read.count("max-kv-holds", 1, 1_000_000),
    loadFailure: read.choice("kv-load-failure-policy", LOAD_FAILURES),
  });
}

/** Without the keys that are undefined, so that defaults apply. */
const defined = <T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };

/** The same, undefined when no key is left. */
function anyOf<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } | undefined {
  const given = defined(value);
  return Object.keys(given).length > 0 ? given : undefined;
}

/** What single options can't show: ports that run out, an engine that can't be. */
function checkTogether(options: PodsOptions, problems: string[]): void {
  const { basePort = 0 } = options;
  const count = fleetPods(options).length;
  if (count > PODS_MAX) problems.push(`there are ${count} pods in all, allowed: 1 to ${PODS_MAX}`);
  if (basePort > 0 && basePort + count - 1 > PORT_MAX) {
    problems.push(`${count} pods from port ${basePort} on need ports beyond ${PORT_MAX}`);
  }
  try {
    createEngine(podSettings(options, "check").engine);
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
}

/** Reads values by their name and collects what is wrong. */
class OptionReader {
  readonly values: Values;
  readonly problems: string[] = [];

  constructor(values: Values) {
    this.values = values;
  }

  count(name: keyof Values, min: number, max: number): number | undefined {
    const value = this.values[name];
    if (value === undefined) return undefined;
    const number = /^\d+$/.test(String(value)) ? Number(value) : NaN;
    if (number >= min && number <= max) return number;
    return this.#wrong(name, `a whole number from ${min} to ${max}`);
  }

  number(name: keyof Values, min: number, max: number): number | undefined {
    const value = this.values[name];
    if (value === undefined) return undefined;
    const number = /^\d+(\.\d+)?$/.test(String(value)) ? Number(value) : NaN;
    if (number >= min && number <= max) return number;
    return this.#wrong(name, `a number from ${min} to ${max}`);
  }

  timeScale(): number | undefined {
    const value = this.values["time-scale"];
    if (value === undefined) return undefined;
    const number = value.trim() === "" ? NaN : Number(value);
    if (number === 0 || (number >= TIME_SCALE_MIN && number <= TIME_SCALE_MAX)) return number;
    return this.#wrong("time-scale", `0, or from ${TIME_SCALE_MIN} to ${TIME_SCALE_MAX} real seconds a model second`);
  }

  range(name: "natural-tokens"): readonly [number, number] | undefined {
    const value = this.values[name];
    if (value === undefined) return undefined;
    const [, min, max] = /^(\d{1,7})-(\d{1,7})$/.exec(value)?.map(Number) ?? [];
    if (min >= 1 && max >= min) return [min, max];
    return this.#wrong(name, "two numbers of tokens, as in 300-1500");
  }

  choice<T extends string>(name: keyof Values, allowed: readonly T[]): T | undefined {
    const value = this.values[name];
    if (value === undefined) return undefined;
    return allowed.find((word) => word === value) ?? this.#wrong(name, allowed.join(" or "));
  }

  preset(): { model: string; gpu: string } | undefined {
    const { model = MODEL_DEFAULT, gpu = GPU_DEFAULT } = this.values;
    if (findEnginePreset(model, gpu)) return { model, gpu };
    const known = ENGINE_PRESETS.find((preset) => preset.model.toLowerCase() === model.toLowerCase());
    if (known) {
      const gpus = ENGINE_PRESETS.filter((preset) => preset.model === known.model).map((preset) => preset.gpu);
      return this.#wrong("gpu", `for ${known.model} ${gpus.join(", ")}`, gpus);
    }
    const models = [...new Set(ENGINE_PRESETS.map((preset) => preset.model))];
    return this.#wrong("model", models.join(", "), models);
  }

  #wrong(name: keyof Values, allowed: string, words: readonly string[] = []): undefined {
    const value = String(this.values[name] ?? (name === "gpu" ? GPU_DEFAULT : ""));
    const near = didYouMean(value, words);
    this.problems.push(
      `--${name} is ${JSON.stringify(value)}${near ? `; did you mean ${near}?` : ","} allowed: ${allowed}`,
    );
    return undefined;
  }
}

/** Samplers by their names in OTEL_TRACES_SAMPLER. */
export const SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;
export type SamplerName = (typeof SAMPLERS)[number];

/** How traces are made and where they go. */
export interface TraceSettings {
  readonly exporter: "otlp" | "console";
  readonly sampler: SamplerName;
  /** Share of traces that a ratio sampler takes, 0 to 1. */
  readonly ratio: number;
}

const DEFAULT_SAMPLER: SamplerName = "parentbased_traceidratio";
const DEFAULT_RATIO = 0.1;
const ENDPOINTS = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/**
 * Reads the environment of OpenTelemetry (`spec/epp-core.md` 3.3). No settings: no traces. Where nothing says who takes
 * the spans there are none (stock prints them); an endpoint without an exporter's name means OTLP.
 */
export function readTraceSettings(env: Readonly<Record<string, string | undefined>>): {
  readonly settings: TraceSettings | undefined;
  readonly warnings: readonly string[];
} {
  const warnings: string[] = [];
  const exporter = readExporter(env, warnings);
  if (!exporter) return { settings: undefined, warnings };
  return { settings: { exporter, ...readSampler(env, warnings) }, warnings };
}

const wordOf = (text: string | undefined): string => text?.trim().toLowerCase() ?? "";

function readExporter(
  env: Readonly<Record<string, string | undefined>>,
  warnings: string[],
): TraceSettings["exporter"] | undefined {
  if (wordOf(env.OTEL_SDK_DISABLED) === "true") return undefined;
  const named = wordOf(env.OTEL_TRACES_EXPORTER);
  if (named === "otlp" || named === "console") return named;
  if (named === "") return ENDPOINTS.some((name) => env[name]?.trim()) ? "otlp" : undefined;
  if (named !== "none") warnings.push(unusable("OTEL_TRACES_EXPORTER", named, "otlp, console or none", "no traces"));
  return undefined;
}

function readSampler(
  env: Readonly<Record<string, string | undefined>>,
  warnings: string[],
): Pick<TraceSettings, "sampler" | "ratio"> {
  const named = wordOf(env.OTEL_TRACES_SAMPLER);
  const known = SAMPLERS.find((name) => name === named);
  if (named !== "" && !known) {
    warnings.push(unusable("OTEL_TRACES_SAMPLER", named, SAMPLERS.join(", "), DEFAULT_SAMPLER));
  }
  const given = env.OTEL_TRACES_SAMPLER_ARG?.trim() ?? "";
  const ratio = given === "" ? DEFAULT_RATIO : Number(given);
  if (ratio >= 0 && ratio <= 1) return { sampler: known ?? DEFAULT_SAMPLER, ratio };
  warnings.push(unusable("OTEL_TRACES_SAMPLER_ARG", given, "a number from 0 to 1", `${DEFAULT_RATIO}`));
  return { sampler: known ?? DEFAULT_SAMPLER, ratio: DEFAULT_RATIO };
}

const unusable = (name: string, found: string, allowed: string, instead: string): string =>
  `Cannot use $${name}: found ${JSON.stringify(found)}, expected ${allowed}; there is ${instead}`;

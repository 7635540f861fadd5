import { describe, expect, it } from "vitest";
import { readTraceSettings } from "./trace-settings.ts";

const OTLP = { OTEL_TRACES_EXPORTER: "otlp" };
const TENTH = { exporter: "otlp", sampler: "parentbased_traceidratio", ratio: 0.1 };

describe("readTraceSettings", () => {
  it.each([
    ["nothing", {}, undefined],
    ["none", { OTEL_TRACES_EXPORTER: "none", OTEL_EXPORTER_OTLP_ENDPOINT: "http://a:4317" }, undefined],
    ["the SDK switched off", { ...OTLP, OTEL_SDK_DISABLED: "true" }, undefined],
    ["otlp", OTLP, TENTH],
    ["otlp in other letters", { OTEL_TRACES_EXPORTER: " OTLP " }, TENTH],
    ["an endpoint alone", { OTEL_EXPORTER_OTLP_ENDPOINT: "http://a:4317" }, TENTH],
    ["an endpoint of traces alone", { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://a:4317" }, TENTH],
    ["an empty endpoint", { OTEL_EXPORTER_OTLP_ENDPOINT: " " }, undefined],
    ["the console", { OTEL_TRACES_EXPORTER: "console" }, { ...TENTH, exporter: "console" }],
    ["a ratio", { ...OTLP, OTEL_TRACES_SAMPLER_ARG: "0.5" }, { ...TENTH, ratio: 0.5 }],
    ["a sampler", { ...OTLP, OTEL_TRACES_SAMPLER: "always_on" }, { ...TENTH, sampler: "always_on" }],
  ])("of %s without a word of complaint", (_, env, settings) => {
    expect(readTraceSettings(env)).toEqual({ settings, warnings: [] });
  });

  it.each([
    ["OTEL_TRACES_EXPORTER", "zipkin", undefined],
    ["OTEL_TRACES_SAMPLER", "jaeger_remote", TENTH],
    ["OTEL_TRACES_SAMPLER_ARG", "1.5", TENTH],
    ["OTEL_TRACES_SAMPLER_ARG", "half", TENTH],
  ])("says that %s cannot be %s, and what holds instead", (name, value, settings) => {
    const read = readTraceSettings({ ...OTLP, [name]: value });
    expect(read.settings).toEqual(settings);
    expect(read.warnings).toHaveLength(1);
    expect(read.warnings[0]).toContain(`Cannot use $${name}: found "${value}"`);
  });
});

import { describe, expect, it } from "vitest";
import { readBlueprint } from "./blueprint.ts";
import { ConfigError } from "./config-error.ts";

const OPTIONS = { "config-file": "c.yaml", "allow-experimental-plugins": true };
const config = (source: string, extractor: string) => `plugins:
- type: random-picker
- ${source.startsWith("k8s") ? `{type: ${source}, parameters: {version: v1, kind: Pod}}` : `type: ${source}`}
- type: ${extractor}
dataLayer:
  injectDefaults: false
  sources:
  - {pluginRef: ${source}, extractors: [{pluginRef: ${extractor}}]}
`;

function errorsOf(text: string): string {
  try {
    readBlueprint({ text, options: OPTIONS });
    return "";
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

const FITTING = [
  ["metrics-data-source", "core-metrics-extractor"],
  ["metrics-data-source", "multicluster-metrics-extractor"],
  ["metrics-data-source", "dcgm-extractor"],
  ["multicluster-metrics-data-source", "core-metrics-extractor"],
  ["multicluster-metrics-data-source", "multicluster-metrics-extractor"],
  ["dcgm-data-source", "dcgm-extractor"],
  ["dcgm-data-source", "core-metrics-extractor"],
  ["models-data-source", "models-data-extractor"],
  ["endpoint-notification-source", "topology-extractor"],
] as const;
const SOURCES = [...new Set(FITTING.map(([source]) => source)), "k8s-notification-source"];
const EXTRACTORS = [...new Set(FITTING.map(([, extractor]) => extractor))];
const ALL = SOURCES.flatMap((source) => EXTRACTORS.map((extractor) => [source, extractor] as const));
const METRICS = new Set(["metrics-data-source", "multicluster-metrics-data-source", "dcgm-data-source"]);
const fits = (source: string, extractor: string) =>
  FITTING.some(([a, b]) => a === source && b === extractor) ||
  (METRICS.has(source) && /^(core|multicluster)-metrics|^dcgm/.test(extractor));

describe("extractors under sources", () => {
  it.each(ALL.filter((pair) => fits(...pair)))("%s feeds %s", (source, extractor) => {
    expect(errorsOf(config(source, extractor))).toBe("");
  });

  it.each(ALL.filter((pair) => !fits(...pair)))("%s does not feed %s, as stock", (source, extractor) => {
    expect(errorsOf(config(source, extractor))).toMatch(
      new RegExp(
        `c\\.yaml:\\d+:\\d+: .*found "${extractor}" of type ${extractor}, which reads .*, expected an extractor of `,
      ),
    );
  });

  it("name the place, what the extractor reads and what the source brings", () => {
    expect(errorsOf(config("models-data-source", "dcgm-extractor"))).toContain(
      'dataLayer.sources[0].extractors[0].pluginRef: found "dcgm-extractor" of type dcgm-extractor, which reads metrics pages, ' +
        "expected an extractor of lists of models, as models-data-source brings these",
    );
  });
});

describe("parameters of sources", () => {
  it("take a port for models, which the stock release does not know", () => {
    const text = config("models-data-source", "models-data-extractor").replace(
      "type: models-data-source",
      "{type: models-data-source, parameters: {port: 9000}}",
    );
    expect(errorsOf(text)).toBe("");
    expect(() => readBlueprint({ text, options: { ...OPTIONS, "strict-config": true } })).toThrow(/port/);
  });
});

describe("signals", () => {
  it("come from a core-metrics-extractor of any name", () => {
    const text = `plugins:
- type: queue-scorer
- type: kv-cache-utilization-scorer
- type: metrics-data-source
- {type: core-metrics-extractor, name: signals}
dataLayer:
  injectDefaults: false
  sources:
  - {pluginRef: metrics-data-source, extractors: [{pluginRef: signals}]}
`;
    expect(errorsOf(text)).toBe("");
    expect(errorsOf(text.replace("core-metrics-extractor", "dcgm-extractor"))).toContain(
      "found nothing that produces WaitingQueueSize",
    );
  });
});

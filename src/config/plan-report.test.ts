import { describe, expect, it } from "vitest";
import { readBlueprint } from "./blueprint.ts";
import { planReport } from "./plan-report.ts";

const TEXT = `
plugins:
- type: prefix-cache-scorer
  parameters: {matchLengthWeight: 0.5}
- name: queue
  type: queue-scorer
schedulingProfiles:
- name: default
  plugins:
  - {pluginRef: prefix-cache-scorer, weight: 3}
  - {pluginRef: queue}
requestHandler:
  parsers: [{pluginRef: openai-parser}]
`;

describe("the report of a plan", () => {
  const report = planReport(readBlueprint({ text: TEXT, options: {} }));

  it("tells declared plugins with their place and what differs from the defaults", () => {
    const [prefix, queue] = report.plugins;
    expect(prefix).toMatchObject({ declaredAt: "plugins[0]", createdBecause: null, changed: ["matchLengthWeight"] });
    expect(queue).toMatchObject({ name: "queue", type: "queue-scorer", declaredAt: "plugins[1]", changed: [] });
  });

  it("tells why each of the others was made", () => {
    const why = report.plugins.flatMap(({ name, createdBecause }) => (createdBecause ? [[name, createdBecause]] : []));
    expect(Object.fromEntries(why)).toEqual({
      "single-profile-handler": "there is one profile and no profile handler",
      "max-score-picker": "no picker is declared",
      "openai-parser": "requestHandler.parsers names it, or names none",
      "utilization-detector": "flowControl.saturationDetector names it, or names none",
      "metrics-data-source": "dataLayer.injectDefaults",
      "core-metrics-extractor": "dataLayer.injectDefaults",
      "approx-prefix-cache-producer": "its data is required by prefix-cache-scorer (PrefixCacheMatchInfo)",
      "token-producer": "its data is required by approx-prefix-cache-producer (TokenizedPrompt)",
    });
  });

  it("tells profiles with weights and their shares", () => {
    expect(report.profiles).toEqual([
      {
        name: "default",
        filters: [],
        scorers: [
          { name: "prefix-cache-scorer", weight: 3, share: 0.75 },
          { name: "queue", weight: 1, share: 0.25 },
        ],
        picker: "max-score-picker",
      },
    ]);
  });

  it("tells data from producer to reader, and the order of producers", () => {
    expect(report.producers).toEqual(["token-producer", "approx-prefix-cache-producer"]);
    expect(report.data.find(({ kind }) => kind === "WaitingQueueSize")).toEqual({
      id: "WaitingQueueSize/core-metrics-extractor",
      kind: "WaitingQueueSize",
      producers: ["core-metrics-extractor"],
      readers: [{ name: "queue", required: true }],
    });
    expect(report.dataLayer).toEqual({
      discovery: null,
      sources: [{ name: "metrics-data-source", extractors: ["core-metrics-extractor"] }],
    });
  });

  it("is plain data", () => {
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });
});

import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { registerDataLayerErrors } from "./data-layer-errors.ts";

it("errors of sources are told by source and extractor, under both names, those of two sources of a type together", async () => {
  const registry = new Registry();
  const scraper = (sourceType: string, poll: number, extract: readonly (readonly [string, number])[]) => ({
    sourceType,
    counts: { rows: 0, poll, extract: 0, extractByType: new Map(extract) },
  });
  registerDataLayerErrors(registry, [
    scraper("metrics-data-source", 2, [["core-metrics-extractor", 3]]),
    scraper("metrics-data-source", 5, []),
    scraper("models-data-source", 0, [["models-data-extractor", 1]]),
  ]);
  const lines = (await registry.metrics()).split("\n").filter((line) => /^\w/.test(line));
  expect(lines).toEqual(
    ["llm_d_epp", "llm_d_inference_scheduler"]
      .flatMap((prefix) => [
        `${prefix}_datalayer_poll_errors_total{source_type="metrics-data-source"} 7`,
        `${prefix}_datalayer_extract_errors_total{extractor_type="core-metrics-extractor",source_type="metrics-data-source"} 3`,
        `${prefix}_datalayer_extract_errors_total{extractor_type="models-data-extractor",source_type="models-data-source"} 1`,
      ])
      .toSorted((a, b) => order(a) - order(b)),
  );
});

/** Poll errors first, then those of extractors, each under the current name first. */
const order = (line: string): number => (line.includes("extract") ? 2 : 0) + (line.includes("scheduler") ? 1 : 0);

import type { Registry } from "prom-client";
import type { PageScraper } from "../datalayer/page-scraper.ts";
import { helpOf, olderHelpOf } from "./family-help.ts";
import { registerSamples, type Sample } from "./metric-family.ts";
import { DATA_LAYER_FAMILIES, type StockFamily } from "./stock-families.ts";

/** Puts the failures of the data layer's sources on the page, under both names (stock: datalayer/metrics.go). */
export function registerDataLayerErrors(
  registry: Registry,
  scrapers: readonly Pick<PageScraper, "sourceType" | "counts">[],
): void {
  const { pollErrors, extractErrors } = DATA_LAYER_FAMILIES;
  registerTwins(registry, pollErrors, () =>
    summed(scrapers.map(({ sourceType, counts }) => [{ source_type: sourceType }, counts.poll])),
  );
  registerTwins(registry, extractErrors, () =>
    summed(
      scrapers.flatMap(({ sourceType, counts }) =>
        [...counts.extractByType].map(([type, count]): Row => [
          { source_type: sourceType, extractor_type: type },
          count,
        ]),
      ),
    ),
  );
}

type Row = readonly [labels: Readonly<Record<string, string>>, count: number];

function registerTwins(registry: Registry, family: StockFamily, samples: () => readonly Sample[]): void {
  const { name, help, type, deprecated } = family;
  registerSamples(registry, { name, type, help: helpOf(help) }, samples);
  if (!deprecated) return;
  const older = { name: deprecated.name, type, help: olderHelpOf(name, help) };
  registerSamples(registry, older, samples);
}

/** Rows of the same labels as one; as stock, none before the first error. */
function summed(rows: readonly Row[]): readonly Sample[] {
  const samples = new Map<string, Sample>();
  for (const [labels, count] of rows) {
    if (count === 0) continue;
    const key = JSON.stringify(labels);
    samples.set(key, { labels, value: count + (samples.get(key)?.value ?? 0) });
  }
  return [...samples.values()];
}

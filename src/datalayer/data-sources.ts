import type { DataLayer, DataLayerPlugin } from "../config/data-layer.ts";
import type { HttpSourceParams } from "../plugins/data-layer/http-source-params.ts";
import { PAGE_EXTRACTORS } from "../plugins/data-layer/page-extractors.ts";
import { scrapePeriodMs, scrapeTickMs } from "../plugins/data-layer/scrape-tick.ts";
import type { ScrapeSink } from "./endpoint-scraper.ts";
import { createPageScraper, type PageScraper } from "./page-scraper.ts";
import { readScrapeTls } from "./scrape-tls.ts";

type Source = DataLayer["sources"][number];

/** What the sources of a config are given when they are made. */
export interface DataSourceContext {
  /** --refresh-metrics-interval */
  readonly refreshMetricsIntervalMs: number;
  /** Takes what the source of a name brings. */
  readonly sink: (sourceName: string) => ScrapeSink;
  /** Told in words of a source that can't do anything here. */
  readonly problem: (message: string) => void;
}

interface SourceRun extends DataSourceContext {
  /** Tick of all sources. */
  readonly tickMs: number;
}

/** Makes the runner of a source; undefined when nothing needs to run for it. */
type DataSourceRunner = (source: Source, run: SourceRun) => Promise<PageScraper> | undefined;

/** The runner of each type of data source, under the name of its plugin. One line each. */
const DATA_SOURCES: Readonly<Record<string, DataSourceRunner>> = {
  "dcgm-data-source": dcgmSource,
  "endpoint-notification-source": coreTellsOfEndpoints,
  "k8s-notification-source": nothingToWatch,
  "metrics-data-source": httpSource,
  "models-data-source": httpSource,
  "multicluster-metrics-data-source": httpSource,
};

/**
 * Makes what runs for the data sources of a config, each with its own extractors. All of them get their pages through
 * `PageScraper`s; endpoints are told to these by whoever discovers them. Rejects when a source can't be run, with the
 * reason: a type without a runner, or files of certificates that can't be read.
 */
export async function createDataSources(
  sources: readonly Source[],
  context: DataSourceContext,
): Promise<readonly PageScraper[]> {
  const intervalsMs = sources.map(({ params }) => intervalMs(params));
  const run = { ...context, tickMs: scrapeTickMs(context.refreshMetricsIntervalMs, intervalsMs) };
  const scrapers = await Promise.all(
    sources.map(async (source) => {
      const runner = ownOf(DATA_SOURCES, source.type);
      if (!runner) throw noRunner(source, Object.keys(DATA_SOURCES));
      return runner(source, run);
    }),
  );
  return scrapers.filter((scraper) => scraper !== undefined);
}

async function httpSource(source: Source, run: SourceRun): Promise<PageScraper> {
  const params = source.params as HttpSourceParams;
  const tls = await readScrapeTls(params, source.name);
  return createPageScraper(
    { ...pagesOf(source, run), path: params.path, port: params.port, tls },
    run.sink(source.name),
  );
}

async function dcgmSource(source: Source, run: SourceRun): Promise<PageScraper> {
  const { port, useNodeAddress } = source.params as { readonly port: number; readonly useNodeAddress: boolean };
  return createPageScraper({ ...pagesOf(source, run), path: "/metrics", port, useNodeAddress }, run.sink(source.name));
}

/** The plugins under it are told by the core, as all others. */
function coreTellsOfEndpoints(): undefined {
  return undefined;
}

function nothingToWatch({ name, params }: Source, { problem }: SourceRun): undefined {
  const { group, version, kind } = params as {
    readonly group: string;
    readonly version: string;
    readonly kind: string;
  };
  const what = `${group === "" ? "" : `${group}/`}${version} ${kind}`;
  problem(`${name} watches nothing: endpoints come from a file, so there is no Kubernetes to ask for ${what}`);
  return undefined;
}

function pagesOf(source: Source, { tickMs }: SourceRun) {
  return {
    sourceType: source.type,
    periodMs: scrapePeriodMs(tickMs, intervalMs(source.params)),
    extractors: source.extractors.map((extractor) => {
      const make = ownOf(PAGE_EXTRACTORS, extractor.type);
      if (!make) throw noRunner(extractor, Object.keys(PAGE_EXTRACTORS));
      return make(extractor.params);
    }),
  };
}

/** Interval that a source asks for; 0 when it asks for none. */
const intervalMs = (params: unknown): number => ((params as { readonly interval?: number }).interval ?? 0) / 1000;

const ownOf = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;

const noRunner = ({ type, name }: DataLayerPlugin, expected: readonly string[]): Error =>
  new Error(`Cannot run plugin ${name}: found type ${type}, expected ${expected.join(", ")}`);

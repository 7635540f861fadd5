import { compilePlan, type EppPlan } from "../config/compile-plan.ts";
import type { DataLayer } from "../config/data-layer.ts";
import type { CoreLimits } from "../core/core-limits.ts";
import type { Env } from "../core/env.ts";
import type { ConfigSource, CoreEvent, EndpointDescription } from "../core/events.ts";
import { createDataSources } from "../datalayer/data-sources.ts";
import { createDiscoveryOf } from "../datalayer/discoveries.ts";
import { createFileDiscovery, type DiscoverySink, type FileDiscovery } from "../datalayer/file-discovery.ts";
import type { PageScraper } from "../datalayer/page-scraper.ts";
import { CoreDriver } from "./core-driver.ts";
import { ScrapeProblems } from "./scrape-problems.ts";
import { seldom } from "./seldom.ts";

export interface LivePoolOptions {
  /** The config, and the flags that change decisions. */
  readonly source: ConfigSource;
  /** Seed of all chance, 32 bit. */
  readonly seed: number;
  readonly limits?: Partial<CoreLimits>;
  /** An endpoints file in place of the discovery that the config names; watched. */
  readonly endpointsFile?: string;
  /** Tick of the scraper (--refresh-metrics-interval). Default 50. */
  readonly refreshMetricsIntervalMs?: number;
  /** Sees each event as it enters the core, with its number. */
  readonly record?: (event: CoreEvent, number: number) => void;
  /** Times the plugins (`Env.probe`). */
  readonly probe?: Env["probe"];
  /** Told in words of what is wrong and does not end the pool: old forms in the config, broken files, silent pods. */
  readonly problem: (message: string) => void;
}

/** A core with everything that feeds it. */
export interface LivePool {
  readonly driver: CoreDriver;
  /** The data layer's scrapers, for their counts. */
  readonly scrapers: readonly PageScraper[];
  /** Ends discovery, scrapes and the core's timer. The core can still be read. */
  stop(): Promise<void>;
}

const REFRESH_METRICS_MS = 50;

/**
 * Assembles a picker without its front: a core with the config loaded, the discovery that tells it endpoints, the
 * scrapers that tell it signals. Resolves once the endpoints are known, so that whoever opens a port afterwards can
 * serve. Rejects when config or endpoints can't be read; nothing is left running then.
 */
export async function startLivePool(options: LivePoolOptions): Promise<LivePool> {
  const { source, seed, limits, record, problem, endpointsFile } = options;
  const startMs = performance.now();
  const tell = seldom(problem);
  const driver = new CoreDriver({
    compile: compilePlan,
    seed,
    nowUs: () => Math.floor((performance.now() - startMs) * 1000),
    ...(limits && { limits }),
    ...(options.probe && { probe: options.probe }),
    ...(record && { record }),
    failed: (error) => tell(`An error that should not be: ${error instanceof Error ? error.stack : String(error)}`),
  });
  driver.observe((notice) => {
    if (notice.type === "endpointRefused") {
      tell(`Cannot take endpoint ${notice.id}: the pool has ${notice.limit} already, the most that is allowed`);
    } else if (notice.type === "pluginFailed") tell(`A plugin failed, its request was refused: ${notice.cause}`);
    else if (notice.type === "hookFailed") tell(`Plugin ${notice.plugin} failed at ${notice.hook}: ${notice.cause}`);
    else if (notice.type === "producerFailed") tell(`Producer ${notice.plugin} failed: ${notice.cause}`);
  });
  driver.load(source);
  const { blueprint } = driver.core.plan as EppPlan;
  for (const warning of blueprint.warnings) problem(warning);
  const scrapers = await createSources(blueprint.dataLayer, options, driver);
  const discovery = createDiscovery(blueprint.dataLayer, endpointsFile, poolSink(driver, scrapers, problem));
  const stop = async (): Promise<void> => {
    discovery.stop();
    for (const scraper of scrapers) scraper.stop();
    driver.close();
  };
  try {
    await discovery.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { driver, scrapers, stop };
}

function createDiscovery({ discovery }: DataLayer, path: string | undefined, sink: DiscoverySink): FileDiscovery {
  if (path !== undefined) return createFileDiscovery({ path, watchFile: true }, sink);
  if (!discovery) {
    throw new Error(
      "Cannot find endpoints: found no discovery in the config, expected dataLayer.discovery with a file-discovery plugin",
    );
  }
  return createDiscoveryOf(discovery, sink);
}

/** The data layer's sources, with the core as the taker of all that they bring. */
function createSources(
  { sources }: DataLayer,
  { refreshMetricsIntervalMs = REFRESH_METRICS_MS, problem }: LivePoolOptions,
  driver: CoreDriver,
): Promise<readonly PageScraper[]> {
  return createDataSources(sources, {
    refreshMetricsIntervalMs,
    problem,
    sink: (source) => {
      const problems = new ScrapeProblems(source, problem);
      return {
        onRow: (row) => {
          driver.scraped(row);
          problems.went(row.slot);
        },
        onError: (kind, endpoint, cause) => problems.failed(kind, endpoint, cause),
      };
    },
  });
}

/** Tells the core what a discovery finds, and has it scraped. */
function poolSink(
  driver: CoreDriver,
  scrapers: readonly PageScraper[],
  problem: (message: string) => void,
): DiscoverySink {
  const { endpoints } = driver.core;
  const unscrape = (id: string): void => {
    const slot = endpoints.slotOf(id);
    if (slot >= 0) for (const scraper of scrapers) scraper.remove(slot);
  };
  return {
    upsert(endpoint: EndpointDescription) {
      const slot = endpoints.slotOf(endpoint.id);
      if (slot >= 0 && isSamePod(endpoints.description[slot], endpoint)) {
        driver.upsert(endpoint);
        for (const scraper of scrapers) scraper.update(slot, endpoint.labels);
        return;
      }
      unscrape(endpoint.id);
      const place = driver.upsert(endpoint);
      if (place) for (const scraper of scrapers) scraper.add({ ...endpoint, ...place });
    },
    remove(id) {
      unscrape(id);
      driver.remove(id);
    },
    problem,
  };
}

const isSamePod = (a: EndpointDescription, b: EndpointDescription): boolean =>
  a.address === b.address && a.port === b.port && a.metricsHost === b.metricsHost && a.nodeAddress === b.nodeAddress;

import { ENDPOINTS_MAX } from "../core/endpoints.ts";
import type { PageExtractor } from "../plugins/data-layer/page-extractor.ts";
import { EndpointScraper, type PlacedEndpoint, type ScrapeSink } from "./endpoint-scraper.ts";
import { PageBuffers } from "./page-buffers.ts";
import type { ScrapeTarget, ScrapeTls } from "./scrape-connection.ts";

export interface PageScraperOptions {
  /** Type of the data source, by which the stock picker counts errors. */
  readonly sourceType: string;
  readonly extractors: readonly PageExtractor[];
  /** Path of the pages. */
  readonly path: string;
  /** Port of the pages in place of the endpoints' own. */
  readonly port?: number | undefined;
  /** With a port: the pages are at the node's address, where it is known. Default false. */
  readonly useNodeAddress?: boolean;
  /** Present: pages come over https. */
  readonly tls?: ScrapeTls | undefined;
  /** Time between two polls of one endpoint (`scrapePeriodMs`). Default 50. */
  readonly periodMs?: number;
  /** Most time from the start of a poll to the end of its page. Default 1000. */
  readonly pollTimeoutMs?: number;
  /** Most bytes of one page; a longer one is refused. Default 8 MiB. */
  readonly pageBytesMax?: number;
  /** Most bytes of buffers for pages being read, of all endpoints; polls beyond it fail. Default 64 MiB. */
  readonly pageBytesInFlightMax?: number;
}

/** How many scrapes went which way since the start. */
export interface ScrapeCounts {
  rows: number;
  poll: number;
  extract: number;
  /** `extract` by the type of the extractor that did not find all. */
  readonly extractByType: Map<string, number>;
}

/** Gets pages of endpoints, again and again, each on a connection and a ticker of its own. */
export interface PageScraper {
  /** Type of the data source, by which the stock picker counts errors. */
  readonly sourceType: string;
  readonly counts: Readonly<ScrapeCounts>;
  /** Begins to scrape an endpoint; ends what was scraped for its slot. */
  add(endpoint: PlacedEndpoint): void;
  /** Ends scraping for a slot. */
  remove(slot: number): void;
  /** Changes the labels of the slot's endpoint. */
  update(slot: number, labels: Readonly<Record<string, string>>): void;
  /** Ends all scraping and closes all connections. */
  stop(): void;
}

const PORT_MAX = 65_535;

/** Each endpoint starts this share of a period after the one before: the polls spread evenly however many there are. */
const STAGGER = 0.618_033_988_749_895;

/**
 * Makes a scraper. It asks for plain text without Accept and Accept-Encoding headers, follows no redirect, and takes
 * any status but 200 for an error. A pod that hangs, closes or answers nonsense costs an error each poll and a new
 * connection; its earlier signals hold.
 */
export function createPageScraper(options: PageScraperOptions, sink: ScrapeSink): PageScraper {
  const { sourceType, extractors, periodMs = 50, pollTimeoutMs = 1000 } = options;
  const { pageBytesMax = 8 << 20, pageBytesInFlightMax = 64 << 20 } = options;
  const buffers = new PageBuffers({ pageBytesMax, pageBytesInFlightMax });
  const scrapers = new Map<number, EndpointScraper>();
  const counts: ScrapeCounts = { rows: 0, poll: 0, extract: 0, extractByType: new Map() };
  const counted: ScrapeSink = {
    onRow(row) {
      counts.rows++;
      sink.onRow(row);
    },
    onError(kind, endpoint, cause, extractorType) {
      counts[kind]++;
      if (extractorType !== undefined) {
        counts.extractByType.set(extractorType, (counts.extractByType.get(extractorType) ?? 0) + 1);
      }
      sink.onError(kind, endpoint, cause);
    },
  };
  let added = 0;

  const remove = (slot: number) => {
    scrapers.get(slot)?.stop();
    scrapers.delete(slot);
  };
  return {
    sourceType,
    counts,
    add(endpoint) {
      remove(endpoint.slot);
      const target = targetOf(endpoint, options);
      const refused = (cause: string) =>
        counted.onError("poll", endpoint, `Cannot scrape ${endpoint.id} at ${endpoint.metricsHost}: ${cause}`);
      if (scrapers.size === ENDPOINTS_MAX) return refused(`${ENDPOINTS_MAX} endpoints are scraped already`);
      if (!Number.isInteger(target.port) || target.port < 1 || target.port > PORT_MAX)
        return refused(`the port is none, expected 1 to ${PORT_MAX}`);
      const scraper = new EndpointScraper(endpoint, target, { periodMs, pollTimeoutMs, extractors }, buffers, counted);
      scrapers.set(endpoint.slot, scraper);
      added++;
      return scraper.start(((added * STAGGER) % 1) * periodMs);
    },
    remove,
    update(slot, labels) {
      const scraper = scrapers.get(slot);
      if (scraper) scraper.endpoint = { ...scraper.endpoint, labels };
    },
    stop() {
      for (const slot of scrapers.keys()) remove(slot);
    },
  };
}

function targetOf(endpoint: PlacedEndpoint, options: PageScraperOptions): ScrapeTarget {
  const { path, port, tls, useNodeAddress = false } = options;
  const rest = { path: encodePath(path), tls };
  if (port !== undefined) {
    return { host: (useNodeAddress && endpoint.nodeAddress) || endpoint.address, port, ...rest };
  }
  const colon = endpoint.metricsHost.lastIndexOf(":");
  const host = endpoint.metricsHost.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return { host, port: Number(endpoint.metricsHost.slice(colon + 1)), ...rest };
}

/** A path as Go's url.URL writes it: `?` and `#` belong to the path. */
function encodePath(path: string): string {
  const encoded = encodeURI(path).replace(/[?#]/g, encodeURIComponent);
  return encoded.startsWith("/") ? encoded : `/${encoded}`;
}

import { hostPort } from "../core/endpoints.ts";
import type { EndpointDescription, SignalRow } from "../core/events.ts";
import type { Extraction, ExtractionFailure, PageExtractor } from "../plugins/data-layer/page-extractor.ts";
import { PageBuffer, type PageBuffers } from "./page-buffers.ts";
import { ScrapeConnection, type ScrapeTarget } from "./scrape-connection.ts";

/** An endpoint in its place of the core's table. */
export type PlacedEndpoint = EndpointDescription & Pick<SignalRow, "slot" | "generation">;

/** Which step failed, as the stock picker counts: fetching and parsing the page, or finding the signals in it. */
export type ScrapeErrorKind = "poll" | "extract";

/** Takes what scrapes bring. Called within the callbacks of timers and sockets. */
export interface ScrapeSink {
  /** What a page said. */
  onRow(row: SignalRow): void;
  /** A page did not come, or lacked something (that the extractor of this type wants). Earlier signals hold. */
  onError(kind: ScrapeErrorKind, endpoint: PlacedEndpoint, cause: string, extractorType?: string): void;
}

export interface EndpointScraperOptions {
  readonly periodMs: number;
  readonly pollTimeoutMs: number;
  readonly extractors: readonly PageExtractor[];
}

/** Scrapes one endpoint on a ticker of its own. A poll waits for the one before: ticks in between are left out. */
export class EndpointScraper {
  endpoint: PlacedEndpoint;

  readonly #target: ScrapeTarget;
  readonly #options: EndpointScraperOptions;
  readonly #sink: ScrapeSink;
  readonly #page: PageBuffer;
  readonly #connection: ScrapeConnection;
  #first: NodeJS.Timeout | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #polling = false;

  constructor(
    endpoint: PlacedEndpoint,
    target: ScrapeTarget,
    options: EndpointScraperOptions,
    buffers: PageBuffers,
    sink: ScrapeSink,
  ) {
    this.endpoint = endpoint;
    this.#target = target;
    this.#options = options;
    this.#sink = sink;
    this.#page = new PageBuffer(buffers);
    this.#connection = new ScrapeConnection(target, this.#page);
  }

  /** Begins; the first poll is after `delayMs`. */
  start(delayMs: number): void {
    const tick = () => {
      if (!this.#polling) this.#poll();
    };
    this.#first = setTimeout(() => {
      this.#ticker = setInterval(tick, this.#options.periodMs);
      tick();
    }, delayMs);
  }

  /** Ends at once; nothing is called any more. */
  stop(): void {
    clearTimeout(this.#first);
    clearInterval(this.#ticker);
    clearTimeout(this.#deadline);
    this.#connection.close();
  }

  #poll(): void {
    this.#polling = true;
    if (this.#deadline) this.#deadline.refresh();
    else this.#deadline = setTimeout(() => this.#expire(), this.#options.pollTimeoutMs);
    this.#connection.request((error) => {
      this.#polling = false;
      if (error) this.#failed(error.message);
      else this.#extract();
      this.#page.clear();
    });
  }

  #expire(): void {
    if (this.#polling) this.#connection.abort(new Error(`no whole page within ${this.#options.pollTimeoutMs} ms`));
  }

  #extract(): void {
    const page = this.#page.bytes();
    for (const extractor of this.#options.extractors) {
      const result = extracted(extractor, page, this.endpoint);
      if ("failed" in result) {
        this.#failed(result.failed);
        return;
      }
      const { slot, generation } = this.endpoint;
      if (result.row) this.#sink.onRow({ ...result.row, slot, generation });
      if (result.errors.length > 0) {
        this.#sink.onError("extract", this.endpoint, result.errors.join("; "), extractor.type);
      }
    }
  }

  #failed(cause: string): void {
    const { host, port } = this.#target;
    this.#sink.onError("poll", this.endpoint, `Cannot scrape ${this.endpoint.id} at ${hostPort(host, port)}: ${cause}`);
  }
}

/** What an extractor makes of a page; one that throws costs its own signals, and no other's. */
function extracted(
  extractor: PageExtractor,
  page: Uint8Array,
  endpoint: PlacedEndpoint,
): Extraction | ExtractionFailure {
  try {
    return extractor.extract(page, endpoint);
  } catch (error) {
    return { errors: [`${extractor.type} failed: ${String(error)}`] };
  }
}

import type { EndpointDescription, SignalRow } from "../../core/events.ts";

/** What one page said, without whose it is. */
export type Signals = Omit<SignalRow, "slot" | "generation" | "atUs">;

/** What came of one page. */
export interface Extraction {
  /** Absent when the page had no signal that is wanted: the last scrape's signals and time stay. */
  readonly row?: Signals;
  /** What was missing or no number; the other signals apply all the same. */
  readonly errors: readonly string[];
}

/** A page that is refused as a whole. */
export interface ExtractionFailure {
  readonly failed: string;
}

/** Whose page it is. */
export type PageOwner = Pick<EndpointDescription, "name" | "labels">;

/** Reads signals from pages. Keeps nothing of a pod from one page to the next. */
export interface PageExtractor {
  readonly type: string;
  /** Signals of a page. The page may be changed afterwards. */
  extract(page: Uint8Array, owner: PageOwner): Extraction | ExtractionFailure;
}

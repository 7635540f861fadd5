import type { PlacedEndpoint, ScrapeErrorKind } from "../datalayer/endpoint-scraper.ts";

/** Failures in a row before one is told: one lost poll is no news. */
const FAILURES_TOLD = 3;

interface Failures {
  /** Whose they are: a slot used again starts anew. */
  readonly id: string;
  count: number;
}

/**
 * Tells of endpoints whose metrics do not come or lack something: once when it begins, not at each of twenty polls a
 * second. A pod that did not answer is told again when it had answered in between; what a page lacks is told once.
 */
export class ScrapeProblems {
  readonly #source: string;
  readonly #problem: (message: string) => void;
  /** Failures in a row by slot; as many as endpoints, at most. */
  readonly #failures: Readonly<Record<ScrapeErrorKind, Map<number, Failures>>> = {
    poll: new Map(),
    extract: new Map(),
  };

  /** @param source Name of the data source whose pages they are. */
  constructor(source: string, problem: (message: string) => void) {
    this.#source = source;
    this.#problem = problem;
  }

  /** A page was read. */
  went(slot: number): void {
    if (this.#failures.poll.size > 0) this.#failures.poll.delete(slot);
  }

  failed(kind: ScrapeErrorKind, { slot, id }: PlacedEndpoint, cause: string): void {
    const known = this.#failures[kind].get(slot);
    const failures = known?.id === id ? known : { id, count: 0 };
    this.#failures[kind].set(slot, failures);
    if (++failures.count !== FAILURES_TOLD) return;
    const what = kind === "poll" ? cause : `Cannot find all signals of ${id}: ${cause}`;
    this.#problem(`${what} (${this.#source}); what was known of it stays`);
  }
}

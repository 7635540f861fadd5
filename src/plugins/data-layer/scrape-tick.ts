/** Least time between two scrapes of one endpoint (stock: datalayer/runtime.go). */
const TICK_MS_MIN = 50;

/**
 * Tick of all scrapes in milliseconds: --refresh-metrics-interval, lowered to the shortest interval that a source asks
 * for (0 = none), and never below 50 ms.
 */
export function scrapeTickMs(refreshIntervalMs: number, intervalsMs: readonly number[]): number {
  const shortest = Math.min(refreshIntervalMs, ...intervalsMs.filter((intervalMs) => intervalMs > 0));
  return Math.max(shortest, TICK_MS_MIN);
}

/** Time between two scrapes of one endpoint by one source: its interval rounded to whole ticks, at least one. */
export const scrapePeriodMs = (tickMs: number, intervalMs: number): number =>
  intervalMs > 0 ? Math.max(Math.round(intervalMs / tickMs), 1) * tickMs : tickMs;

import type { DestinationStream, Logger } from "pino";
import { pino } from "pino";

/** `-v` levels of the stock EPP: 2 and less info, 3 verbose, 4 debug, 5 trace. */
export type Verbosity = number;

/**
 * A logger that writes JSON lines to standard error as zap's production encoder does: `level`, `ts` in seconds,
 * `logger`, `msg`. Never give it a prompt, a token or a key.
 */
export function createLog(verbosity: Verbosity, destination: DestinationStream = pino.destination(2)): Logger {
  return pino(
    {
      level: verbosity >= 5 ? "trace" : verbosity >= 4 ? "debug" : "info",
      base: null,
      timestamp: () => `,"ts":${(Date.now() / 1000).toFixed(6)}`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  ).child({ logger: "warmpath" });
}

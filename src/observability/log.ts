import type { DestinationStream, Logger } from "pino";
import { pino } from "pino";

/** `-v` levels of the stock EPP: 2 and less info, 3 verbose, 4 debug, 5 trace. */
export type Verbosity = number;

/**
 * A logger that writes JSON lines to standard error as zap's production encoder does: `level`, `ts` in seconds,
 * `logger`, `msg`; an error under `err` becomes `error`, its text, and `stacktrace`. Never give it a prompt, a token or
 * a key.
 */
export function createLog(verbosity: Verbosity, destination: DestinationStream = pino.destination(2)): Logger {
  return pino(
    {
      level: verbosity >= 5 ? "trace" : verbosity >= 4 ? "debug" : "info",
      base: null,
      timestamp: () => `,"ts":${(Date.now() / 1000).toFixed(6)}`,
      formatters: { level: (label) => ({ level: label }), log: withErrorText },
      serializers: { err: (error: unknown) => error },
    },
    destination,
  ).child({ logger: "warmpath" });
}

function withErrorText(fields: Record<string, unknown>): Record<string, unknown> {
  if (!("err" in fields)) return fields;
  const { err, ...others } = fields;
  if (!(err instanceof Error)) return { ...others, error: String(err) };
  return { ...others, error: err.message, ...(err.stack && { stacktrace: err.stack }) };
}

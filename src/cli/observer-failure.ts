import type { Logger } from "pino";
import { seldom } from "../server/seldom.ts";

/** Logs what a meter or probe threw, once a minute: it may throw with each request. */
export function observerFailure(log: Logger): (error: unknown) => void {
  const tell = seldom((message) => log.error(message));
  return (error) => tell(`Cannot observe a request: ${error instanceof Error ? error.stack : String(error)}`);
}

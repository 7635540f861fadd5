import type { Logger } from "pino";
import type { Decision } from "../core/decision.ts";
import type { Usage } from "../core/parser.ts";
import type { RejectionCode } from "../core/rejection.ts";
import type { ExchangeMeter, MeteredRequest } from "../protocol/exchange-meter.ts";
import { headerText, type HeaderValues } from "../protocol/header-rules.ts";

/** `-v` from which a line is written. */
const RECEIVED = 2;
const HANDLED = 3;
const ENDED = 4;
/** Longest text of a client that gets into a line: an id or a model's name; more is cut off. */
const TEXT_CHARS_MAX = 256;

const cut = (text: string): string => text.slice(0, TEXT_CHARS_MAX);

/** What tells the trace of the same exchange. */
export interface TraceSource {
  /** 32 hex digits; "" when not known. */
  readonly traceId: string;
}

/**
 * Opens the lines of one exchange in the log: received (as stock says it) and refused by default, handled with -v 3,
 * its end with -v 4. Each has `x-request-id` and, where there is one, `trace_id`. None has anything of a body but the
 * model's name, nor the text of an error, which may quote one. Undefined when so little is logged that there are none.
 */
export function createExchangeLog(
  log: Logger,
  verbosity: number,
): ((trace: TraceSource | undefined) => ExchangeMeter) | undefined {
  return verbosity < RECEIVED ? undefined : (trace) => new ExchangeLog(log, verbosity, trace);
}

class ExchangeLog implements ExchangeMeter {
  readonly #log: Logger;
  readonly #verbosity: number;
  readonly #trace: TraceSource | undefined;
  #names: { readonly "x-request-id"?: string; readonly trace_id?: string } = {};
  #isClosed = false;

  constructor(log: Logger, verbosity: number, trace: TraceSource | undefined) {
    this.#log = log;
    this.#verbosity = verbosity;
    this.#trace = trace;
  }

  requestHeaders(headers: HeaderValues, requestId: string): void {
    const traceId = this.#trace?.traceId || traceIdOf(headerText(headers, "traceparent"));
    this.#names = { "x-request-id": cut(requestId), ...(traceId && { trace_id: traceId }) };
    this.#log.info(this.#names, "EPP received request");
  }

  requestComplete(): void {}

  routed({ facts, targetModel, priority, outcome }: Decision): void {
    if (this.#verbosity < HANDLED || outcome.kind !== "picked") return;
    const models = { incomingModelName: cut(facts.model), targetModelName: cut(targetModel) };
    this.#log.info({ ...this.#names, ...models, priority, endpoint: outcome.targets.join(",") }, "Request handled");
  }

  refused(code: RejectionCode, { model, targetModel, priority }: MeteredRequest): void {
    const models = { incomingModelName: cut(model), targetModelName: cut(targetModel) };
    this.#log.info({ ...this.#names, ...models, priority, code }, "Request refused");
  }

  responseHeaders(): void {}

  modelServerError(): void {
    if (this.#verbosity >= HANDLED) this.#log.info(this.#names, "Model server answered with an error");
  }

  responseBody(): void {}

  responseHandled(): void {}

  responseComplete(usage: Usage | undefined): void {
    if (this.#verbosity >= ENDED) this.#log.debug({ ...this.#names, ...usage }, "Response complete");
  }

  closed(): void {
    if (this.#isClosed || this.#verbosity < ENDED) return;
    this.#isClosed = true;
    this.#log.debug(this.#names, "Stream closed");
  }
}

/** Trace id of a traceparent header; "" when it has none. */
const traceIdOf = (traceparent: string | undefined): string =>
  /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-/.exec(traceparent ?? "")?.[1] ?? "";

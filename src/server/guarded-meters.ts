import type { Decision } from "../core/decision.ts";
import type { Usage } from "../core/parser.ts";
import type { RejectionCode } from "../core/rejection.ts";
import type { ExchangeMeter, MeteredRequest } from "../protocol/exchange-meter.ts";
import type { HeaderValues } from "../protocol/header-rules.ts";
import type { HeaderField } from "../protocol/messages.ts";

/**
 * Opens the meters of an exchange as one that never throws: each is told in their order, what one throws goes to
 * `failed`, and the others and the request go on as if nobody measured it. The trace headers are the first one's that has
 * some to give. Undefined when there are none to open, or they cannot be opened.
 */
export function guardedMeters(
  open: (() => readonly ExchangeMeter[]) | undefined,
  failed: (error: unknown) => void,
): ExchangeMeter | undefined {
  if (!open) return undefined;
  try {
    return new GuardedMeters(open(), failed);
  } catch (error) {
    failed(error);
    return undefined;
  }
}

class GuardedMeters implements ExchangeMeter {
  readonly #meters: readonly ExchangeMeter[];
  readonly #failed: (error: unknown) => void;

  constructor(meters: readonly ExchangeMeter[], failed: (error: unknown) => void) {
    this.#meters = meters;
    this.#failed = failed;
  }

  requestHeaders(headers: HeaderValues, requestId: string): void {
    this.#tell((meter) => meter.requestHeaders?.(headers, requestId));
  }

  requestComplete(): void {
    this.#tell((meter) => meter.requestComplete());
  }

  traceHeaders(): readonly HeaderField[] {
    let headers: readonly HeaderField[] | undefined;
    this.#tell((meter) => (headers ??= meter.traceHeaders?.()));
    return headers ?? [];
  }

  routed(decision: Decision, bodyBytes: number): void {
    this.#tell((meter) => meter.routed(decision, bodyBytes));
  }

  refused(code: RejectionCode, request: MeteredRequest): void {
    this.#tell((meter) => meter.refused(code, request));
  }

  responseHeaders(isStream: boolean, status: number): void {
    this.#tell((meter) => meter.responseHeaders(isStream, status));
  }

  modelServerError(): void {
    this.#tell((meter) => meter.modelServerError());
  }

  responseBody(bytes: number): void {
    this.#tell((meter) => meter.responseBody(bytes));
  }

  responseHandled(): void {
    this.#tell((meter) => meter.responseHandled());
  }

  responseComplete(usage: Usage | undefined): void {
    this.#tell((meter) => meter.responseComplete(usage));
  }

  closed(): void {
    this.#tell((meter) => meter.closed());
  }

  #tell(call: (meter: ExchangeMeter) => void): void {
    for (const meter of this.#meters) {
      try {
        call(meter);
      } catch (error) {
        this.#failed(error);
      }
    }
  }
}

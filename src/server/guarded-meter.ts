import type { Decision } from "../core/decision.ts";
import type { Usage } from "../core/parser.ts";
import type { RejectionCode } from "../core/rejection.ts";
import type { ExchangeMeter, MeteredRequest } from "../protocol/exchange-meter.ts";
import type { HeaderValues } from "../protocol/header-rules.ts";
import type { HeaderField } from "../protocol/messages.ts";

/**
 * Opens a meter that never throws: what it throws goes to `failed`, and the request goes on as if nobody measured it.
 * Undefined when there is none to open, or it cannot be opened.
 */
export function guardedMeter(
  open: (() => ExchangeMeter) | undefined,
  failed: (error: unknown) => void,
): ExchangeMeter | undefined {
  if (!open) return undefined;
  try {
    return new GuardedMeter(open(), failed);
  } catch (error) {
    failed(error);
    return undefined;
  }
}

class GuardedMeter implements ExchangeMeter {
  readonly #meter: ExchangeMeter;
  readonly #failed: (error: unknown) => void;

  constructor(meter: ExchangeMeter, failed: (error: unknown) => void) {
    this.#meter = meter;
    this.#failed = failed;
  }

  requestHeaders(headers: HeaderValues, requestId: string): void {
    this.#guarded(() => this.#meter.requestHeaders?.(headers, requestId));
  }

  requestComplete(): void {
    this.#guarded(() => this.#meter.requestComplete());
  }

  traceHeaders(): readonly HeaderField[] {
    let headers: readonly HeaderField[] | undefined;
    this.#guarded(() => (headers = this.#meter.traceHeaders?.()));
    return headers ?? [];
  }

  routed(decision: Decision, bodyBytes: number): void {
    this.#guarded(() => this.#meter.routed(decision, bodyBytes));
  }

  refused(code: RejectionCode, request: MeteredRequest): void {
    this.#guarded(() => this.#meter.refused(code, request));
  }

  responseHeaders(isStream: boolean, status: number): void {
    this.#guarded(() => this.#meter.responseHeaders(isStream, status));
  }

  modelServerError(): void {
    this.#guarded(() => this.#meter.modelServerError());
  }

  responseBody(bytes: number): void {
    this.#guarded(() => this.#meter.responseBody(bytes));
  }

  responseHandled(): void {
    this.#guarded(() => this.#meter.responseHandled());
  }

  responseComplete(usage: Usage | undefined): void {
    this.#guarded(() => this.#meter.responseComplete(usage));
  }

  closed(): void {
    this.#guarded(() => this.#meter.closed());
  }

  #guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#failed(error);
    }
  }
}

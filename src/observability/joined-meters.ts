import type { Decision } from "../core/decision.ts";
import type { Usage } from "../core/parser.ts";
import type { RejectionCode } from "../core/rejection.ts";
import type { ExchangeMeter, MeteredRequest } from "../protocol/exchange-meter.ts";
import type { HeaderValues } from "../protocol/header-rules.ts";
import type { HeaderField } from "../protocol/messages.ts";

/**
 * Several meters as one, each told in their order, whatever the others throw (the first error is thrown on at the end);
 * the trace headers are the first one's that has some to give.
 */
export function joinedMeters(meters: readonly ExchangeMeter[]): ExchangeMeter {
  return meters.length === 1 ? meters[0] : new JoinedMeters(meters);
}

class JoinedMeters implements ExchangeMeter {
  readonly #meters: readonly ExchangeMeter[];

  constructor(meters: readonly ExchangeMeter[]) {
    this.#meters = meters;
  }

  requestHeaders(headers: HeaderValues, requestId: string): void {
    this.#tell((meter) => meter.requestHeaders?.(headers, requestId));
  }

  requestComplete(): void {
    this.#tell((meter) => meter.requestComplete());
  }

  traceHeaders(): readonly HeaderField[] {
    for (const meter of this.#meters) {
      const headers = meter.traceHeaders?.();
      if (headers) return headers;
    }
    return [];
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
    let failure: { readonly error: unknown } | undefined;
    for (const meter of this.#meters) {
      try {
        call(meter);
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure) throw failure.error;
  }
}

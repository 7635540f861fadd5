import type { Decision } from "../core/decision.ts";
import type { Usage } from "../core/parser.ts";
import type { RejectionCode } from "../core/rejection.ts";
import type { ExchangeMeter, MeteredRequest } from "../protocol/exchange-meter.ts";
import type { HeaderValues } from "../protocol/header-rules.ts";
import type { HeaderField } from "../protocol/messages.ts";

/** Several meters as one, each told in their order; the trace headers are the first one's that has some to give. */
export function joinedMeters(meters: readonly ExchangeMeter[]): ExchangeMeter {
  return meters.length === 1 ? meters[0] : new JoinedMeters(meters);
}

class JoinedMeters implements ExchangeMeter {
  readonly #meters: readonly ExchangeMeter[];

  constructor(meters: readonly ExchangeMeter[]) {
    this.#meters = meters;
  }

  requestHeaders(headers: HeaderValues, requestId: string): void {
    for (const meter of this.#meters) meter.requestHeaders?.(headers, requestId);
  }

  requestComplete(): void {
    for (const meter of this.#meters) meter.requestComplete();
  }

  traceHeaders(): readonly HeaderField[] {
    for (const meter of this.#meters) {
      const headers = meter.traceHeaders?.();
      if (headers) return headers;
    }
    return [];
  }

  routed(decision: Decision, bodyBytes: number): void {
    for (const meter of this.#meters) meter.routed(decision, bodyBytes);
  }

  refused(code: RejectionCode, request: MeteredRequest): void {
    for (const meter of this.#meters) meter.refused(code, request);
  }

  responseHeaders(isStream: boolean): void {
    for (const meter of this.#meters) meter.responseHeaders(isStream);
  }

  modelServerError(): void {
    for (const meter of this.#meters) meter.modelServerError();
  }

  responseBody(bytes: number): void {
    for (const meter of this.#meters) meter.responseBody(bytes);
  }

  responseHandled(): void {
    for (const meter of this.#meters) meter.responseHandled();
  }

  responseComplete(usage: Usage | undefined): void {
    for (const meter of this.#meters) meter.responseComplete(usage);
  }

  closed(): void {
    for (const meter of this.#meters) meter.closed();
  }
}

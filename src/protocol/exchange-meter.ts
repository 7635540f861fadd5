import type { Decision } from "../core/decision.ts";
import type { Usage } from "../core/parser.ts";
import type { RejectionCode } from "../core/rejection.ts";
import type { HeaderValues } from "./header-rules.ts";
import type { HeaderField } from "./messages.ts";

/** Who a request is counted for. */
export interface MeteredRequest {
  /** Model that the client named; "" when none. */
  readonly model: string;
  /** Model after the rewrite. */
  readonly targetModel: string;
  readonly fairnessId: string;
  readonly priority: number;
}

/**
 * Measures one exchange; but for its trace headers, what it makes of it changes nothing. It has its own clock: each
 * method is called as the thing happens. It is opened with the exchange, and every exchange ends with `closed`.
 */
export interface ExchangeMeter {
  /** The request's headers are in; not called of one that comes without. `requestId`: its x-request-id, given or made up. */
  requestHeaders?(headers: HeaderValues, requestId: string): void;
  /** The request's body is whole. */
  requestComplete(): void;
  /**
   * It is about to be routed: headers by which the model server goes on with its trace, in place of the client's own.
   * Names in lower case.
   */
  traceHeaders?(): readonly HeaderField[];
  /** It is routed, and so many bytes of body go on; -1: it has no body. Called after the answer was sent. */
  routed(decision: Decision, bodyBytes: number): void;
  /** The client gets an error of ours. */
  refused(code: RejectionCode, request: MeteredRequest): void;
  /** Response headers came; `isStream`: the answer comes piece by piece. `status`: the HTTP status, 0 when unknown. */
  responseHeaders(isStream: boolean, status: number): void;
  /** The model server answered with an error, or no model server answered. */
  modelServerError(): void;
  /** So many bytes of the response body came. */
  responseBody(bytes: number): void;
  /** A message of the response is done with. */
  responseHandled(): void;
  /** The response is whole. */
  responseComplete(usage: Usage | undefined): void;
  /** The stream is over. */
  closed(): void;
}

/** Codes of a refused request, as the stock EPP names them (`spec/epp-core.md` 1.3), with their HTTP status. */
export const REJECTION_STATUS = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  PreconditionFailed: 412,
  PayloadTooLarge: 413,
  ResourceExhausted: 429,
  Internal: 500,
  ServiceUnavailable: 503,
} as const;

export type RejectionCode = keyof typeof REJECTION_STATUS;

/** Values of the response header x-llm-d-request-dropped-reason. */
export type DroppedReason =
  | "rejected-saturated"
  | "rejected-no-endpoints"
  | "rejected-ttl-expired"
  | "rejected-context-cancelled"
  | "rejected-shutting-down"
  | "evicted";

/** A request that gets no endpoint. The client sees `inference error: <code> - <message>`. */
export interface Rejection {
  readonly code: RejectionCode;
  readonly message: string;
  readonly droppedReason?: DroppedReason;
}

/** The body that the client gets, in the stock EPP's words. */
export const rejectionText = (rejection: Rejection): string =>
  `inference error: ${rejection.code} - ${rejection.message}`;

export const NO_CANDIDATES: Rejection = {
  code: "ServiceUnavailable",
  message: "failed to find endpoint candidates for serving the request",
  droppedReason: "rejected-no-endpoints",
};
export const SCREENED_OUT: Rejection = {
  code: "ServiceUnavailable",
  message: "screeners eliminated all endpoint candidates",
  droppedReason: "rejected-no-endpoints",
};
export const FILTERED_OUT: Rejection = {
  code: "ResourceExhausted",
  message: "no endpoints available for the given request",
  droppedReason: "rejected-saturated",
};
/** In the stock's words; it speaks of decode workers whatever the profiles are. */
export const NOT_CACHED: Rejection = {
  code: "PreconditionFailed",
  message: "no decode worker has the requested KV cache",
};
export const NO_PODS: Rejection = { code: "Internal", message: "no pods available in datastore" };
export const NO_MODEL: Rejection = { code: "BadRequest", message: "model not found in request body" };
export const SHEDDABLE_DROPPED: Rejection = {
  code: "ResourceExhausted",
  message: "system saturated, sheddable request dropped",
};

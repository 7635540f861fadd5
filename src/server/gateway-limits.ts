/** Limits of the gateway, each with its answer. Times in milliseconds. */
export interface GatewayLimits {
  /** Most client connections; the next one is closed at once. */
  readonly connectionsMax: number;
  /** Most requests at once; one more gets 503. */
  readonly requestsMax: number;
  /** Most bytes of one request body: 413 above. */
  readonly bodyBytesMax: number;
  /** Most bytes of bodies that are held for all requests: 503 above. */
  readonly bodyBytesInFlightMax: number;
  /** Most bytes of a request's headers, and of an answer's: 431 above, and 502 for an answer. */
  readonly headerBytesMax: number;
  /** A client's headers must be there after this: 408. */
  readonly headersTimeoutMs: number;
  /** A client's whole request must be there after this: 408. */
  readonly requestTimeoutMs: number;
  /** An idle client connection is closed after this. */
  readonly keepAliveTimeoutMs: number;
  /** A pod must have taken the connection after this, or the next one is tried. */
  readonly connectTimeoutMs: number;
  /** A pod must have sent response headers after this: 504. */
  readonly responseHeadersTimeoutMs: number;
  /** Longest silence inside an answer; the client's stream is broken off then. */
  readonly responseIdleTimeoutMs: number;
  /** Most further attempts for one request whose pod is dead: 502 after the last. */
  readonly retriesMax: number;
}

export const DEFAULT_GATEWAY_LIMITS: GatewayLimits = {
  connectionsMax: 16_384,
  requestsMax: 8192,
  bodyBytesMax: 32 * 1024 * 1024,
  bodyBytesInFlightMax: 512 * 1024 * 1024,
  headerBytesMax: 64 * 1024,
  headersTimeoutMs: 30_000,
  requestTimeoutMs: 300_000,
  keepAliveTimeoutMs: 75_000,
  connectTimeoutMs: 2000,
  responseHeadersTimeoutMs: 1_000_000,
  responseIdleTimeoutMs: 1_000_000,
  retriesMax: 3,
};

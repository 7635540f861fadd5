import type { InflightLoad } from "../../core/data-key.ts";
import type { Column, Endpoints } from "../../core/endpoints.ts";

export const INFLIGHT_LOAD_PRODUCER = "inflight-load-producer";

/**
 * The load that an inflight-load-producer has put on endpoints, by slot. It lives in the endpoints table under the
 * producer's name, so that it outlasts a reload of the config, and ends with the endpoint.
 */
export class InflightColumns implements InflightLoad {
  readonly #endpoints: Endpoints;
  readonly #requests: Column;
  readonly #tokens: Column;

  constructor(endpoints: Endpoints, producer: string) {
    this.#endpoints = endpoints;
    this.#requests = endpoints.column(`${producer}/requests`);
    this.#tokens = endpoints.column(`${producer}/tokens`);
  }

  requests(slot: number): number {
    return this.#requests.values[slot] || 0;
  }

  tokens(slot: number): number {
    return this.#tokens.values[slot] || 0;
  }

  /** Adds to what is there; never below 0. */
  add(slot: number, requests: number, tokens: number): void {
    this.#requests.values[slot] = Math.max(0, this.requests(slot) + requests);
    this.#tokens.values[slot] = Math.max(0, this.tokens(slot) + tokens);
  }

  /** Sums over all endpoints. */
  gauges(): Readonly<Record<string, number>> {
    let requests = 0;
    let tokens = 0;
    for (const slot of this.#endpoints.slots()) {
      requests += this.requests(slot);
      tokens += this.tokens(slot);
    }
    return { inflight_requests: requests, inflight_tokens: tokens };
  }
}

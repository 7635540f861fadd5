import type { Endpoints } from "../../core/endpoints.ts";
import type { GaugeRow } from "../../core/plugin.ts";
import { INFLIGHT_REQUESTS, INFLIGHT_TOKENS } from "../gauges.ts";

/** Flows that are told apart on an endpoint; what further ones have there is told as `other`. */
const FLOWS_MAX = 1000;
/** The same over all endpoints: each flow there is two lines of the metrics page. */
const POOL_FLOWS_MAX = 20_000;
/** Clients name flows as they like: one of a longer name is told as `other`. */
const FLOW_CHARS_MAX = 256;
const OTHER = "other";

/** What one flow has on one endpoint. */
export interface Flow {
  readonly fairnessId: string;
  readonly priority: number;
  requests: number;
  tokens: number;
}

/**
 * The load that a producer has put on endpoints by flow and priority, for the metrics page alone. A flow stays on the
 * page at 0 until its endpoint goes, as stock.
 */
export class InflightFlows {
  readonly #endpoints: Endpoints;
  readonly #producer: string;
  readonly #bySlot = new Map<number, Map<string, Flow>>();
  #size = 0;

  constructor(endpoints: Endpoints, producer: string) {
    this.#endpoints = endpoints;
    this.#producer = producer;
  }

  /**
   * Adds to what a flow has on an endpoint. Gives where it was added: `release` takes that, since the same flow may be
   * told otherwise by then.
   */
  add(
    slot: number,
    { fairnessId, priority }: Pick<Flow, "fairnessId" | "priority">,
    requests: number,
    tokens: number,
  ): Flow {
    let flows = this.#bySlot.get(slot);
    if (!flows) this.#bySlot.set(slot, (flows = new Map()));
    const flow = flows.get(`${priority}/${fairnessId}`) ?? this.#made(flows, fairnessId, priority);
    flow.requests += requests;
    flow.tokens += tokens;
    return flow;
  }

  /** Gives back what a flow had; never below 0. */
  release(flow: Flow, requests: number, tokens: number): void {
    flow.requests = Math.max(0, flow.requests - requests);
    flow.tokens = Math.max(0, flow.tokens - tokens);
  }

  /** Forgets an endpoint that is gone. */
  remove(slot: number): void {
    this.#size -= this.#bySlot.get(slot)?.size ?? 0;
    this.#bySlot.delete(slot);
  }

  rows(): readonly GaugeRow[] {
    return [...this.#bySlot].flatMap(([slot, flows]) => {
      const { name, namespace } = this.#endpoints.description[slot];
      return [...flows.values()].flatMap(({ fairnessId, priority, requests, tokens }) => {
        const labels = {
          endpoint_name: name,
          namespace,
          producer_name: this.#producer,
          fairness_id: fairnessId,
          priority: String(priority),
        };
        return [
          { gauge: INFLIGHT_REQUESTS.name, labels, value: requests },
          { gauge: INFLIGHT_TOKENS.name, labels, value: tokens },
        ];
      });
    });
  }

  #made(flows: Map<string, Flow>, fairnessId: string, priority: number): Flow {
    const isFull = flows.size >= FLOWS_MAX || this.#size >= POOL_FLOWS_MAX || fairnessId.length > FLOW_CHARS_MAX;
    const name = isFull ? OTHER : fairnessId;
    const key = `${priority}/${name}`;
    const known = flows.get(key);
    if (known) return known;
    const flow = { fairnessId: name, priority, requests: 0, tokens: 0 };
    flows.set(key, flow);
    this.#size++;
    return flow;
  }
}

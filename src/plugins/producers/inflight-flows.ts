import type { Endpoints } from "../../core/endpoints.ts";
import type { GaugeRow } from "../../core/plugin.ts";
import { INFLIGHT_REQUESTS, INFLIGHT_TOKENS } from "../gauges.ts";

/** Flows that are told apart on an endpoint; what further ones have there is told as `other`. */
const FLOWS_MAX = 1000;
const OTHER = "other";

interface Flow {
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

  constructor(endpoints: Endpoints, producer: string) {
    this.#endpoints = endpoints;
    this.#producer = producer;
  }

  /** Adds to what a flow has on an endpoint; never below 0. */
  add(
    slot: number,
    { fairnessId, priority }: Pick<Flow, "fairnessId" | "priority">,
    requests: number,
    tokens: number,
  ): void {
    let flows = this.#bySlot.get(slot);
    if (!flows) this.#bySlot.set(slot, (flows = new Map()));
    const key = `${priority}/${fairnessId}`;
    const flow = flows.get(key) ?? this.#made(flows, key, fairnessId, priority);
    flow.requests = Math.max(0, flow.requests + requests);
    flow.tokens = Math.max(0, flow.tokens + tokens);
  }

  /** Forgets an endpoint that is gone. */
  remove(slot: number): void {
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

  #made(flows: Map<string, Flow>, key: string, fairnessId: string, priority: number): Flow {
    const full = flows.size >= FLOWS_MAX;
    const name = full ? OTHER : fairnessId;
    const at = full ? `${priority}/${OTHER}` : key;
    const flow = flows.get(at) ?? { fairnessId: name, priority, requests: 0, tokens: 0 };
    flows.set(at, flow);
    return flow;
  }
}

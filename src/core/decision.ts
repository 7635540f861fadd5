import type { DecisionRecord } from "./decision-record.ts";
import type { Micros } from "./env.ts";
import type { Rejection } from "./rejection.ts";
import type { RequestFacts } from "./request-facts.ts";

/** Where a request goes. */
export interface Picked {
  readonly kind: "picked";
  /** `ip:port` of each destination, best first: the value of x-gateway-destination-endpoint joined by commas. */
  readonly targets: readonly string[];
  /** Endpoint ids (`namespace/name`) of the same. */
  readonly endpointIds: readonly string[];
  /** Slots of the same, at the time of the decision. */
  readonly slots: readonly number[];
}

export interface Rejected {
  readonly kind: "rejected";
  readonly rejection: Rejection;
}

/** The core's word on one request. */
export interface Decision {
  readonly facts: RequestFacts;
  /** Counts decisions from 0. */
  readonly sequence: number;
  readonly atUs: Micros;
  readonly outcome: Picked | Rejected;
  /** Model for the pod; differs from `facts.model` when it is to be rewritten. "" when none. */
  readonly targetModel: string;
  readonly priority: number;
  readonly fairnessId: string;
  /** Headers that plugins set (value) or took away (undefined), by lower-case name. */
  readonly headers: ReadonlyMap<string, string | undefined>;
  /**
   * Total score of each scored candidate of the primary profile by `ip:port`: undefined when none was scored or they
   * are hidden. Only valid during the step that made the decision, and as long as the ring keeps its record.
   */
  scores(): Readonly<Record<string, number>> | undefined;
  /** Why: filters' drops, raw scores, weights, signal ages, draws. Undefined once the ring has used its place again. */
  record(): DecisionRecord | undefined;
}

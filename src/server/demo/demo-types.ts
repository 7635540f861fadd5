import type { DecisionView } from "../../observability/decision-view.ts";
import type { Percentiles } from "../../simulator/workloads/multi-turn-summary.ts";

/** The two sides of the demo: the same pods and requests, routed in two ways. */
export const FLEETS = ["random", "warmpath"] as const;
export type FleetName = (typeof FLEETS)[number];

/** What the requests go through on their way to the pods. */
export type Via = "envoy" | "gateway";

/** What is fixed for a run. */
export interface DemoSetup {
  readonly model: string;
  readonly gpu: string;
  readonly podsPerFleet: number;
  readonly conversations: number;
  readonly turns: number;
  readonly workers: number;
  /** Requests that each fleet is to answer. */
  readonly requests: number;
  /** Real seconds a model second. */
  readonly timeScale: number;
  readonly seed: number;
  readonly via: Via;
  /** How often the picker reads the pods' metrics, in real milliseconds. */
  readonly refreshMetricsIntervalMs: number;
}

/** One pod as its own `/metrics` page shows it. */
export interface PodSample {
  readonly pod: string;
  readonly waiting: number;
  readonly running: number;
  /** 0 to 1. */
  readonly kvUsage: number;
  /** Counters of its prefix cache, in tokens. */
  readonly queriesTokens: number;
  readonly hitsTokens: number;
  readonly requests: number;
}

/** What a run tells while it goes on. */
export type DemoEvent =
  | { readonly type: "started"; readonly setup: DemoSetup }
  /** A fleet's pods were looked at. */
  | { readonly type: "sample"; readonly fleet: FleetName; readonly pods: readonly PodSample[] }
  | {
      readonly type: "turn";
      readonly fleet: FleetName;
      readonly done: number;
      readonly failed: boolean;
      /** Model time. */
      readonly ttftMs: number;
      /** Real time that the request and its first token were on their way between client and pod. */
      readonly pickerMs: number;
    }
  | { readonly type: "decision"; readonly fleet: FleetName; readonly decision: DecisionView }
  | { readonly type: "ended"; readonly result: DemoResult };

export interface FleetResult {
  /** By tokens over all pods, from the pods' counters, 0 to 1. */
  readonly hitRate: number;
  /** Arrival at the pod to first token, in the engine's model time. */
  readonly ttftMs: Percentiles;
  readonly failed: number;
  readonly outputTokens: number;
  readonly wallSeconds: number;
  /**
   * CPU of the picker's process a request in real milliseconds: the decision, each streamed token that passes through it,
   * and its share of the scrapes.
   */
  readonly pickerCpuMs: number;
  readonly pods: readonly { readonly pod: string; readonly hitRate: number; readonly requests: number }[];
}

/** What `--json` prints. */
export interface DemoResult {
  readonly random: FleetResult;
  readonly warmpath: FleetResult;
  /** Requests that each fleet answered or failed. */
  readonly requests: number;
  /**
   * Real, unscaled milliseconds between client and pod, both ways, up to the first token: connecting, the proxy, the
   * picker. Neither the engine's time nor the pod's tokeniser is in it.
   */
  readonly pickerMs: Readonly<Record<FleetName, Percentiles>>;
  readonly timeScale: number;
  readonly seed: number;
  readonly via: Via;
  readonly model: string;
  readonly gpu: string;
  readonly wallSeconds: number;
}

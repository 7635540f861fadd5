import type { DecisionView } from "../../observability/decision-view.ts";
import { percentiles, type Percentiles } from "../../simulator/workloads/multi-turn-summary.ts";
import {
  FLEETS,
  type DemoEvent,
  type DemoResult,
  type DemoSetup,
  type FleetName,
  type PodSample,
} from "./demo-types.ts";
import { hitRateOf } from "./pod-sampler.ts";

/** One side as it stands. */
export interface FleetView {
  readonly done: number;
  readonly failed: number;
  /** By tokens over all pods so far, 0 to 1. */
  readonly hitRate: number;
  /** Over the turns so far, model time. */
  readonly ttftMs: Percentiles;
  /** Over the turns so far, real time. */
  readonly pickerMs: Percentiles;
  readonly pods: readonly PodSample[];
}

/** Hit rates at a moment of the run. */
export interface HitRatePoint {
  /** Real seconds since the run began. */
  readonly atSeconds: number;
  readonly hitRates: Readonly<Record<FleetName, number>>;
}

/** A decision with the side that made it. */
export interface FleetDecision extends DecisionView {
  readonly fleet: FleetName;
}

/** What changes from look to look; `points` and `decisions` are those since the look before. */
export interface DemoTick {
  readonly setup: DemoSetup | undefined;
  readonly phase: "starting" | "running" | "ended";
  readonly elapsedSeconds: number;
  readonly fleets: Readonly<Record<FleetName, FleetView>>;
  readonly points: readonly HitRatePoint[];
  readonly decisions: readonly FleetDecision[];
  readonly result: DemoResult | undefined;
}

/** Time between two points of the line. */
const POINT_SECONDS = 0.2;
/** Points of the line that are kept; beyond, every other one goes. */
const POINTS_MAX = 600;
/** Decisions that are kept for a page that opens late. */
const DECISIONS_MAX = 64;

const NOTHING: FleetView = {
  done: 0,
  failed: 0,
  hitRate: 0,
  ttftMs: { p50: 0, p95: 0, p99: 0 },
  pickerMs: { p50: 0, p95: 0, p99: 0 },
  pods: [],
};

/** Sums up what a run tells, for pages and terminals. Bounded, whatever the length of the run. */
export class DemoState {
  readonly #nowMs: () => number;
  readonly #fleets: Record<FleetName, FleetView> = { random: NOTHING, warmpath: NOTHING };
  readonly #ttfts: Record<FleetName, number[]> = { random: [], warmpath: [] };
  readonly #pickers: Record<FleetName, number[]> = { random: [], warmpath: [] };
  #points: HitRatePoint[] = [];
  readonly #decisions: FleetDecision[] = [];
  #newPoints: HitRatePoint[] = [];
  #newDecisions: FleetDecision[] = [];
  #setup: DemoSetup | undefined;
  #result: DemoResult | undefined;
  #startMs = 0;
  #endMs: number | undefined;

  /** @param nowMs a clock that never goes back */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  take(event: DemoEvent): void {
    switch (event.type) {
      case "started":
        this.#setup = event.setup;
        this.#startMs = this.#nowMs();
        return;
      case "sample":
        this.#sample(event.fleet, event.pods);
        return;
      case "turn":
        this.#turn(event);
        return;
      case "decision":
        this.#decide({ ...event.decision, fleet: event.fleet });
        return;
      case "ended":
        this.#result = event.result;
        this.#endMs = this.#nowMs();
        this.#point();
        for (const fleet of FLEETS) this.#settle(fleet, event.result);
    }
  }

  /** All there is, for a new page. Does not touch what `tick` gives. */
  view(): DemoTick {
    return { ...this.#now(), points: this.#points, decisions: this.#decisions };
  }

  /** What is new since the last call. */
  tick(): DemoTick {
    const tick = { ...this.#now(), points: this.#newPoints, decisions: this.#newDecisions };
    this.#newPoints = [];
    this.#newDecisions = [];
    return tick;
  }

  #now(): Omit<DemoTick, "points" | "decisions"> {
    const phase = this.#result ? "ended" : this.#setup ? "running" : "starting";
    const elapsedSeconds = this.#setup ? ((this.#endMs ?? this.#nowMs()) - this.#startMs) / 1000 : 0;
    return { setup: this.#setup, phase, elapsedSeconds, fleets: { ...this.#fleets }, result: this.#result };
  }

  #sample(fleet: FleetName, pods: readonly PodSample[]): void {
    this.#fleets[fleet] = { ...this.#fleets[fleet], pods, hitRate: hitRateOf(pods) };
    const lastSeconds = this.#points.at(-1)?.atSeconds ?? Number.NEGATIVE_INFINITY;
    if ((this.#nowMs() - this.#startMs) / 1000 - lastSeconds >= POINT_SECONDS) this.#point();
  }

  #point(): void {
    const hitRates = { random: this.#fleets.random.hitRate, warmpath: this.#fleets.warmpath.hitRate };
    const point = { atSeconds: (this.#nowMs() - this.#startMs) / 1000, hitRates };
    if (this.#points.length >= POINTS_MAX) this.#points = this.#points.filter((_, i) => i % 2 === 0);
    this.#points.push(point);
    this.#newPoints.push(point);
    if (this.#newPoints.length > POINTS_MAX) this.#newPoints.shift();
  }

  #turn({ fleet, done, failed, ttftMs, pickerMs }: Extract<DemoEvent, { type: "turn" }>): void {
    const before = this.#fleets[fleet];
    if (failed) {
      this.#fleets[fleet] = { ...before, done, failed: before.failed + 1 };
      return;
    }
    this.#ttfts[fleet].push(ttftMs);
    this.#pickers[fleet].push(pickerMs);
    this.#fleets[fleet] = {
      ...before,
      done,
      ttftMs: percentiles(this.#ttfts[fleet]),
      pickerMs: percentiles(this.#pickers[fleet]),
    };
  }

  #decide(decision: FleetDecision): void {
    this.#decisions.push(decision);
    if (this.#decisions.length > DECISIONS_MAX) this.#decisions.shift();
    this.#newDecisions.push(decision);
    if (this.#newDecisions.length > DECISIONS_MAX) this.#newDecisions.shift();
  }

  /** The last word on a side is the result's, so that page and JSON can't differ. */
  #settle(fleet: FleetName, result: DemoResult): void {
    const { hitRate, ttftMs, failed } = result[fleet];
    this.#fleets[fleet] = { ...this.#fleets[fleet], hitRate, ttftMs, failed, pickerMs: result.pickerMs[fleet] };
  }
}

import type { DecisionRecord } from "../../core/decision-record.ts";
import type { Env, ProbePoint } from "../../core/env.ts";
import type { Notice } from "../../core/notices.ts";

/** One call of a plugin. Times in milliseconds of the clock. */
export interface TimedCall {
  readonly point: ProbePoint;
  readonly plugin: string;
  readonly beginMs: number;
  readonly endMs: number;
}

/** Most calls of one run that are kept: beyond, the run has no times. */
const CALLS_MAX = 1024;

/**
 * Times the scheduler's runs: the calls of plugins from the profile handler's first word to its last, given to the
 * decision that they led to. The core does not say whose call it times, so a step that decides several requests (a
 * burst) gives none of them its times.
 */
export class RunTimeline {
  readonly #nowMs: () => number;
  #wanted = 0;
  #beginMs = 0;
  #calls: TimedCall[] = [];
  #overflow = false;
  /** True between a call's beginning and its end, which never comes where the plugin throws. */
  #isCalling = false;
  #finished: readonly TimedCall[][] = [];
  #of: { readonly sequence: number; readonly calls: readonly TimedCall[] } | undefined;

  /** @param nowMs a clock that never goes back */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Somebody wants to know of the runs from now on, until `leave`. */
  want(): void {
    this.#wanted++;
  }

  leave(): void {
    this.#wanted--;
  }

  /** To be called by the core's `Env.probe`. */
  readonly probe: NonNullable<Env["probe"]> = (point, plugin, edge) => {
    if (this.#wanted === 0) return;
    const nowMs = this.#nowMs();
    if (edge === "begin") {
      if (this.#isCalling) this.#forget();
      this.#isCalling = true;
      this.#beginMs = nowMs;
      return;
    }
    this.#isCalling = false;
    if (point !== "ProfilePicker" && this.#calls.length === 0) return;
    if (this.#calls.length < CALLS_MAX) this.#calls.push({ point, plugin, beginMs: this.#beginMs, endMs: nowMs });
    else this.#overflow = true;
    if (point !== "ProcessProfilesResults") return;
    this.#finished = [...this.#finished.slice(-1), this.#overflow ? [] : this.#calls];
    this.#forget();
  };

  /** Takes a notice of the core, right after the step that made it. */
  observe(notice: Notice): void {
    if (notice.type !== "decision") return;
    this.#forget();
    this.#of = undefined;
    if (this.#finished.length === 0) return;
    const [calls] = this.#finished;
    if (this.#finished.length === 1 && runsOf(notice.decision.record()) > 0) {
      this.#of = { sequence: notice.decision.sequence, calls };
    }
    this.#finished = [];
  }

  /** Calls of the run that led to the decision that was observed last; none when it is another one, or had no run. */
  of(sequence: number): readonly TimedCall[] {
    return this.#of?.sequence === sequence ? this.#of.calls : [];
  }

  /** Lets go of a run's calls: it is over, or a plugin threw in it. */
  #forget(): void {
    this.#calls = [];
    this.#overflow = false;
    this.#isCalling = false;
  }
}

const runsOf = (record: DecisionRecord | undefined): number => record?.runs ?? 0;

/** What became of one turn. Milliseconds of model time unless the name says wall. */
export interface TurnResult {
  readonly id: string;
  readonly conversation: number;
  readonly turn: number;
  readonly warmup: boolean;
  /** Why it failed; undefined when it did not. */
  readonly error: string | undefined;
  /** Name of the pod that served it; "" when unknown. */
  readonly pod: string;
  /** Arrival at the pod to first token, in the engine's model time; undefined when the server did not report it. */
  readonly ttftMs: number | undefined;
  /** Part of it that was spent in the pod's queue. */
  readonly queueMs: number | undefined;
  /** Sending to first token as the client saw it, with all that lies between. */
  readonly wallTtftMs: number;
  readonly wallMs: number;
  /** Part of wallTtftMs that was spent between client and pod, either way; undefined when it was not reported. */
  readonly wayMs: number | undefined;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
}

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

interface PodSummary {
  readonly pod: string;
  readonly requests: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  /** cachedTokens / promptTokens, 0 to 1. */
  readonly hitRate: number;
}

export interface MultiTurnSummary {
  /** Turns that were answered in full, without warm-ups. */
  readonly requests: number;
  readonly failed: number;
  /** By tokens, over all pods, 0 to 1. */
  readonly hitRate: number;
  readonly ttftMs: Percentiles;
  readonly wallTtftMs: Percentiles;
  readonly outputTokens: number;
  /** In order of name. */
  readonly pods: readonly PodSummary[];
}

/** Sums turns up; warm-ups and failed turns count in nothing but `failed`. Percentiles of nothing are 0. */
export function summarizeTurns(turns: readonly TurnResult[]): MultiTurnSummary {
  const measured = turns.filter((turn) => !turn.warmup);
  const served = measured.filter((turn) => turn.error === undefined);
  const names = [...new Set(served.map((turn) => turn.pod))].sort();
  return {
    requests: served.length,
    failed: measured.length - served.length,
    hitRate: hitRate(served),
    ttftMs: percentiles(served.flatMap((turn) => turn.ttftMs ?? [])),
    wallTtftMs: percentiles(served.map((turn) => turn.wallTtftMs)),
    outputTokens: sum(served.map((turn) => turn.outputTokens)),
    pods: names.map((pod) => {
      const own = served.filter((turn) => turn.pod === pod);
      return {
        pod,
        requests: own.length,
        promptTokens: sum(own.map((turn) => turn.promptTokens)),
        cachedTokens: sum(own.map((turn) => turn.cachedTokens)),
        hitRate: hitRate(own),
      };
    }),
  };
}

/** The playbook's rule: value number floor(n*p) of the sorted list, counted from 0. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (p: number): number => sorted[Math.floor(sorted.length * p)] ?? 0;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const hitRate = (turns: readonly TurnResult[]): number =>
  turns.length === 0 ? 0 : sum(turns.map((turn) => turn.cachedTokens)) / sum(turns.map((turn) => turn.promptTokens));

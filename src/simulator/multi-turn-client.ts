import { setTimeout as sleep } from "node:timers/promises";
import { streamChat } from "./chat-stream-client.ts";
import { createMultiTurnWorkload, PLAYBOOK_WORKERS, type MultiTurnOptions, type Turn } from "./workloads/multi-turn.ts";
import { summarizeTurns, type MultiTurnSummary, type TurnResult } from "./workloads/multi-turn-summary.ts";

export interface MultiTurnRunOptions {
  /** OpenAI API of a pod, a gateway or Envoy: `http://HOST:PORT`, without `/v1`. */
  readonly baseUrl: string;
  readonly model: string;
  readonly workload: MultiTurnOptions;
  /** Default 4, as in the playbook. */
  readonly workers?: number;
  /** Real seconds a model second, the pods' own: it shortens the think times. 0: no thinking. */
  readonly timeScale: number;
  /** Sent with each request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A turn that takes longer has failed. Default 120 s of real time. */
  readonly turnMsMax?: number;
  /** Ends the run; it then rejects. */
  readonly signal?: AbortSignal;
  /** Called after each turn, warm-ups too. */
  readonly onTurn?: (result: TurnResult, progress: RunProgress) => void;
}

interface RunProgress {
  /** Turns that ended, of `total`; with warm-ups. */
  readonly done: number;
  readonly total: number;
}

export interface MultiTurnRun {
  readonly summary: MultiTurnSummary;
  /** In the order in which they ended. */
  readonly turns: readonly TurnResult[];
  readonly wallMs: number;
}

const NO_TIMES = { ttftMs: undefined, queueMs: undefined, wayMs: undefined };
const TURN_MS_MAX_DEFAULT = 120_000;

/**
 * Plays the multi-turn workload against a server. A turn that fails is reported and its conversation goes on with an
 * empty answer, so that the number of requests stays the same. Rejects only when `signal` ends it.
 */
export async function runMultiTurn(options: MultiTurnRunOptions): Promise<MultiTurnRun> {
  const workload = createMultiTurnWorkload(options.workload);
  const total = workload.requests + workload.warmups;
  const turns: TurnResult[] = [];
  const startMs = performance.now();
  // Workers that found the queue empty wait for an answer to some other's turn.
  let wake: (() => void)[] = [];

  const work = async (): Promise<void> => {
    while (!workload.done()) {
      options.signal?.throwIfAborted();
      const turn = workload.take();
      if (!turn) {
        await new Promise<void>((resolve) => wake.push(resolve));
        continue;
      }
      try {
        const { answer, result } = await play(turn, options);
        workload.complete(turn, answer);
        turns.push(result);
        options.onTurn?.(result, { done: turns.length, total });
      } finally {
        const woken = wake;
        wake = [];
        for (const resolve of woken) resolve();
      }
    }
  };
  await Promise.all(Array.from({ length: options.workers ?? PLAYBOOK_WORKERS }, work));
  return { summary: summarizeTurns(turns), turns, wallMs: performance.now() - startMs };
}

async function play(turn: Turn, options: MultiTurnRunOptions): Promise<{ answer: string; result: TurnResult }> {
  const { signal, timeScale } = options;
  await sleep((turn.thinkUs * timeScale) / 1000, undefined, signal ? { signal } : {});
  const common = { id: turn.id, conversation: turn.conversation, turn: turn.turn, warmup: turn.warmup };
  const sentMs = performance.now();
  try {
    const answer = await streamChat({
      baseUrl: options.baseUrl,
      model: options.model,
      messages: turn.messages,
      outputTokensMax: turn.outputTokensMax,
      headers: { ...options.headers, "x-request-id": turn.id },
      msMax: options.turnMsMax ?? TURN_MS_MAX_DEFAULT,
      signal,
    });
    const { text, servedBy, sim, ...measured } = answer;
    const result = {
      ...common,
      error: undefined,
      pod: servedBy,
      ttftMs: sim?.ttft_ms,
      queueMs: sim?.queue_ms,
      ...measured,
    };
    return { answer: text, result };
  } catch (error) {
    signal?.throwIfAborted();
    const wallMs = performance.now() - sentMs;
    const nothing = { promptTokens: 0, cachedTokens: 0, outputTokens: 0, ...NO_TIMES };
    const cause = error instanceof Error ? error.message : String(error);
    return { answer: "", result: { ...common, error: cause, pod: "", wallTtftMs: wallMs, wallMs, ...nothing } };
  }
}

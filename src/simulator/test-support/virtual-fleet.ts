import { blockHashRoot, chainBlockHashes } from "../engine/block-hash.ts";
import { tokenizeChat } from "../engine/chat-template.ts";
import { createEngine, type Engine } from "../engine/engine.ts";
import type { EngineOptions, EngineRequest, EngineSink } from "../engine/engine-types.ts";
import { generateOutput } from "../engine/output-text.ts";
import {
  createMultiTurnWorkload,
  PLAYBOOK_WORKERS,
  type MultiTurnOptions,
  type Turn,
} from "../workloads/multi-turn.ts";

/** A request of the virtual fleet and what became of it; times in microseconds of model time. */
interface Served extends EngineRequest {
  readonly turn: Turn;
  readonly pod: number;
  readonly answer: string;
  readonly sentUs: number;
  cachedTokens: number;
  firstTokenUs: number;
  finishedUs: number;
}

export interface FleetResult {
  readonly served: readonly Served[];
  readonly hitRate: number;
  /** sorted[floor(n*p)], as the playbook's tool does. */
  ttftMs(p: number): number;
  readonly endUs: number;
}

/** Plays the multi-turn workload against engines under a virtual clock; `route` picks the pod of a turn. */
export function playMultiTurn(
  workloadOptions: MultiTurnOptions,
  engineOptions: EngineOptions,
  pods: number,
  route: (turn: Turn) => number,
): FleetResult {
  const workload = createMultiTurnWorkload(workloadOptions);
  const engines: Engine<Served>[] = Array.from({ length: pods }, () => createEngine<Served>(engineOptions));
  const served: Served[] = [];
  const root = blockHashRoot(["model"]);
  let nowUs = 0;
  let idleWorkers = PLAYBOOK_WORKERS;
  const thinking: { turn: Turn; wakeUs: number }[] = [];
  const sink: EngineSink<Served> = {
    scheduled: (request, _, cachedTokens, resumed) => {
      if (!resumed) request.cachedTokens = cachedTokens;
    },
    token: (request, timeUs, index) => {
      if (index === 0) request.firstTokenUs = timeUs;
    },
    preempted: () => {},
    finished: (request, timeUs) => {
      request.finishedUs = timeUs;
      served.push(request);
      workload.complete(request.turn, request.answer);
      idleWorkers++;
    },
  };
  const send = (turn: Turn): void => {
    const prompt = tokenizeChat(turn.messages).view();
    const limits = { tokensMax: turn.outputTokensMax, naturalTokensMin: 300, naturalTokensMax: 1500, ignoreEnd: false };
    const output = generateOutput(workloadOptions.seed, prompt, false, limits);
    const tokens = new Uint32Array(prompt.length + output.tokens.length);
    tokens.set(prompt);
    tokens.set(output.tokens, prompt.length);
    const hashes = chainBlockHashes(tokens, tokens.length, engineOptions.blockSizeTokens, root);
    const pod = route(turn);
    engines[pod].submit(nowUs, {
      id: turn.id,
      promptTokens: prompt.length,
      outputTokens: output.tokens.length,
      hashLo: hashes.lo,
      hashHi: hashes.hi,
      turn,
      pod,
      answer: output.pieces.join(""),
      sentUs: nowUs,
      cachedTokens: 0,
      firstTokenUs: 0,
      finishedUs: 0,
    });
  };

  while (!workload.done()) {
    for (
      let turn = idleWorkers > 0 ? workload.take() : undefined;
      turn;
      turn = idleWorkers > 0 ? workload.take() : undefined
    ) {
      idleWorkers--;
      thinking.push({ turn, wakeUs: nowUs + turn.thinkUs });
    }
    const wakeUs = Math.min(Infinity, ...thinking.map((t) => t.wakeUs));
    nowUs = Math.min(wakeUs, ...engines.map((engine) => engine.nextDueAtUs()));
    for (const engine of engines) engine.advance(nowUs, sink);
    for (let i = thinking.length - 1; i >= 0; i--) if (thinking[i].wakeUs <= nowUs) send(thinking.splice(i, 1)[0].turn);
  }
  const ttfts = served.map((s) => (s.firstTokenUs - s.sentUs) / 1000).sort((a, b) => a - b);
  const cached = served.reduce((sum, s) => sum + s.cachedTokens, 0);
  const prompts = served.reduce((sum, s) => sum + s.promptTokens, 0);
  return { served, hitRate: cached / prompts, ttftMs: (p) => ttfts[Math.floor(ttfts.length * p)], endUs: nowUs };
}

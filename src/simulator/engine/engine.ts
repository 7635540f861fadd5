import { BlockLog } from "./block-log.ts";
import { BlockPool } from "./block-pool.ts";
import type { EngineOptions, EngineRequest, EngineSignals, EngineSink } from "./engine-types.ts";
import { engineOptionsProblem } from "./engine-options-problem.ts";
import { SequenceBlocks } from "./sequence-blocks.ts";
import { newSequence, SequenceList, type Sequence } from "./sequence-list.ts";
import { stepTimeUs, type StepWork } from "./step-time.ts";

/**
 * The engine of one vLLM pod: continuous batching under a token budget, chunked prefill, paged KV blocks with prefix
 * caching, first come first served, preemption by recompute. After vLLM V1's scheduler.
 *
 * It keeps no time: the driver calls `advance(now)` when `nextDueAtUs()` is reached or before it submits, and every
 * event carries the model time at which it happened. `now` never goes back.
 */
export interface Engine<R extends EngineRequest> {
  /**
   * Puts a request at the end of the queue; its first step starts when the running one ends, or at once.
   * Throws RangeError when the request can't be served (see `refusal`) or the engine was not advanced to `nowUs`.
   */
  submit(nowUs: number, request: R): void;
  /** Why `submit` would refuse the request, undefined when it would not. */
  refusal(request: R): string | undefined;
  /** Drops a waiting or running request, without an event. False when there is none with this id. */
  cancel(id: string): boolean;
  /**
   * A peer's KV is there (`EngineSink.fetchKv`): `tokens` prompt tokens after the cached ones, 0 when it failed; what is
   * missing is computed. Returns how many count: never the prompt's last, which is computed for the first output token.
   * Undefined when no request with this id waits for a peer.
   */
  kvFetched(nowUs: number, id: string, tokens: number): number | undefined;
  /** Numbers of the blocks that a finished request holds, undefined when none with this id holds any. */
  heldBlocks(id: string): Int32Array | undefined;
  /** Gives the blocks of a finished request back. False when none with this id holds any. */
  releaseHeld(nowUs: number, id: string): boolean;
  /** When something happens next; Infinity when nothing is waiting or running. */
  nextDueAtUs(): number;
  /** Does all that is due up to and including `nowUs`. */
  advance(nowUs: number, sink: EngineSink<R>): void;
  /** Forgets all cached blocks, and tells it. False while a request holds blocks. */
  clearCache(nowUs: number, sink: EngineSink<R>): boolean;
  signals(): EngineSignals;
}

/** Throws RangeError when an option is out of its range. */
export function createEngine<R extends EngineRequest>(options: EngineOptions): Engine<R> {
  const problem = engineOptionsProblem(options);
  if (problem) throw new RangeError(`Cannot create engine: ${problem}`);
  return new BatchingEngine<R>(options);
}

class BatchingEngine<R extends EngineRequest> implements Engine<R> {
  readonly #options: EngineOptions;
  readonly #chunkTokensMax: number;
  readonly #pool: BlockPool;
  readonly #blocks: SequenceBlocks<R>;
  readonly #log = new BlockLog<R>();
  readonly #waiting = new SequenceList<R>();
  /** Have blocks for their prompts, and wait for a peer to fill them. */
  readonly #fetching = new SequenceList<R>();
  /** Their peers have answered: they go before who waits, since their blocks are of no use to anyone else. */
  readonly #fetched = new SequenceList<R>();
  readonly #running = new SequenceList<R>();
  readonly #byId = new Map<string, Sequence<R>>();
  /** Finished, but their blocks are in use still. */
  readonly #held = new Map<string, Sequence<R>>();
  // The step under way: who is in it and with how many tokens.
  readonly #batch: Sequence<R>[] = [];
  readonly #batchTokens: number[] = [];
  /** Who left the queue or the batch while the step was made up; told once it is complete. */
  readonly #moves: Move<R>[] = [];
  readonly #work: StepWork = { prefillTokens: 0, prefillContextTokens: 0, decodes: 0, decodeContextTokens: 0 };
  /** What encoding media adds to it. */
  #encodeUs = 0;
  #inStep = false;
  /** No one could be scheduled: nothing happens until blocks come free, a peer answers or a request comes. */
  #stalled = false;
  #advancing = false;
  #stepStartUs = 0;
  /** End of the step under way, or start of the next one. */
  #dueUs = 0;
  /** The latest time that the engine was told. */
  #seenUs = 0;
  #queriesTokens = 0;
  #hitsTokens = 0;
  #promptTokens = 0;
  #cachedPromptTokens = 0;
  #fetchedPromptTokens = 0;
  #generatedTokens = 0;
  #preemptions = 0;
  #steps = 0;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#chunkTokensMax = options.longPrefillTokensMax || Infinity;
    this.#pool = new BlockPool(options.gpuBlocks, (lo, hi) => this.#log.removed(lo, hi));
    this.#blocks = new SequenceBlocks(options, this.#pool, this.#log);
  }

  refusal(request: R): string | undefined {
    const { promptTokens, outputTokens } = request;
    const { modelLenTokensMax, requestsMax } = this.#options;
    if (!(promptTokens >= 1)) return `promptTokens is ${promptTokens}, must be at least 1`;
    if (!(outputTokens >= 1)) return `outputTokens is ${outputTokens}, must be at least 1`;
    if (promptTokens + outputTokens > modelLenTokensMax) {
      return `${promptTokens} prompt and ${outputTokens} output tokens are more than modelLenTokensMax ${modelLenTokensMax}`;
    }
    if (this.#byId.has(request.id) || this.#held.has(request.id)) return `id ${request.id} is taken`;
    if (this.#byId.size >= requestsMax) return `${requestsMax} requests wait or run already (requestsMax)`;
    return undefined;
  }

  submit(nowUs: number, request: R): void {
    const late = this.#active() && this.#dueUs < nowUs && !this.#advancing;
    const refusal = late ? `advance to ${nowUs} first, ${this.#dueUs} is due` : this.refusal(request);
    if (refusal) throw new RangeError(`Cannot submit request: ${refusal}`);
    this.#wake(nowUs);
    const sequence = newSequence(request, this.#options.blockSizeTokens);
    this.#byId.set(request.id, sequence);
    this.#waiting.append(sequence);
  }

  cancel(id: string): boolean {
    const sequence = this.#byId.get(id);
    if (!sequence) return false;
    this.#end(sequence);
    this.#wake(this.#seenUs);
    return true;
  }

  kvFetched(nowUs: number, id: string, tokens: number): number | undefined {
    const sequence = this.#byId.get(id);
    if (sequence?.list !== this.#fetching) return undefined;
    const { promptTokens } = sequence.request;
    const known = Math.min(sequence.cachedTokens + Math.max(0, tokens), promptTokens);
    this.#blocks.store(sequence, known);
    sequence.computedTokens = Math.min(known, promptTokens - 1);
    sequence.fetchedTokens = sequence.computedTokens - sequence.cachedTokens;
    this.#fetching.remove(sequence);
    this.#fetched.append(sequence);
    this.#wake(nowUs);
    return sequence.fetchedTokens;
  }

  heldBlocks(id: string): Int32Array | undefined {
    const sequence = this.#held.get(id);
    return sequence?.blocks.slice(0, sequence.blockCount);
  }

  releaseHeld(nowUs: number, id: string): boolean {
    const sequence = this.#held.get(id);
    if (!sequence) return false;
    this.#held.delete(id);
    this.#blocks.release(sequence);
    this.#wake(nowUs);
    return true;
  }

  nextDueAtUs(): number {
    return this.#active() ? this.#dueUs : Infinity;
  }

  advance(nowUs: number, sink: EngineSink<R>): void {
    if (this.#advancing) throw new Error("Cannot advance engine: it is being advanced (called from a sink)");
    this.#advancing = true;
    this.#seenUs = Math.max(this.#seenUs, nowUs);
    try {
      while (this.#active() && this.#dueUs <= nowUs) {
        if (this.#inStep) this.#endStep(sink);
        else this.#startStep(sink);
      }
    } finally {
      this.#advancing = false;
    }
  }

  clearCache(nowUs: number, sink: EngineSink<R>): boolean {
    const cleared = this.#pool.clear();
    if (cleared) sink.blocksCleared?.(nowUs);
    return cleared;
  }

  signals(): EngineSignals {
    const { usableBlocks, freeBlocks } = this.#pool;
    return {
      waitingRequests: this.#waiting.size + this.#fetching.size + this.#fetched.size,
      fetchingRequests: this.#fetching.size,
      heldRequests: this.#held.size,
      runningRequests: this.#running.size,
      usableBlocks,
      freeBlocks,
      kvUsage: 1 - freeBlocks / usableBlocks,
      prefixQueriesTokens: this.#queriesTokens,
      prefixHitsTokens: this.#hitsTokens,
      promptTokens: this.#promptTokens,
      cachedPromptTokens: this.#cachedPromptTokens,
      fetchedPromptTokens: this.#fetchedPromptTokens,
      generatedTokens: this.#generatedTokens,
      preemptions: this.#preemptions,
      steps: this.#steps,
    };
  }

  #active(): boolean {
    return this.#inStep || (this.#byId.size > 0 && !this.#stalled);
  }

  /** Something changed that may let a request be scheduled, at `nowUs`. */
  #wake(nowUs: number): void {
    this.#seenUs = Math.max(this.#seenUs, nowUs);
    if (!this.#active()) this.#dueUs = Math.max(this.#dueUs, nowUs);
    this.#stalled = false;
  }

  #startStep(sink: EngineSink<R>): void {
    this.#batch.length = 0;
    this.#batchTokens.length = 0;
    const work = this.#work;
    work.prefillTokens = 0;
    work.prefillContextTokens = 0;
    work.decodes = 0;
    work.decodeContextTokens = 0;
    this.#encodeUs = 0;
    const preemptedBefore = this.#preemptions;
    const budget = this.#scheduleRunning(this.#options.batchedTokensMax);
    if (this.#preemptions === preemptedBefore) this.#admit(budget);
    this.#stepStartUs = this.#dueUs;
    if (this.#batch.length > 0) {
      this.#inStep = true;
      this.#dueUs += stepTimeUs(this.#options.stepTime, work) + this.#encodeUs;
    } else {
      this.#stalled = this.#preemptions === preemptedBefore;
    }
    this.#tellMoves(sink);
  }

  #tellMoves(sink: EngineSink<R>): void {
    for (const { kind, request, cachedTokens } of this.#moves) {
      if (kind === "preempted") sink.preempted(request, this.#stepStartUs);
      else if (kind === "fetch") sink.fetchKv?.(request, this.#stepStartUs, cachedTokens);
      else sink.scheduled(request, this.#stepStartUs, cachedTokens, kind === "resumed");
    }
    this.#moves.length = 0;
  }

  /** Gives each running request its tokens, in order of arrival; returns what is left of the budget. */
  #scheduleRunning(tokensMax: number): number {
    let budget = tokensMax;
    for (let sequence = this.#running.head; sequence && budget > 0; sequence = sequence.next) {
      const pending = sequence.request.promptTokens + sequence.generatedTokens - sequence.computedTokens;
      const tokens = Math.min(pending, this.#chunkTokensMax, budget);
      if (!this.#makeRoom(sequence, tokens)) break;
      this.#enlist(sequence, tokens);
      budget -= tokens;
    }
    return budget;
  }

  /** Preempts from the end of the batch until the sequence has its blocks. False when it was itself preempted. */
  #makeRoom(sequence: Sequence<R>, tokens: number): boolean {
    while (!this.#blocks.allocate(sequence, sequence.computedTokens + tokens, 0)) {
      const victim = this.#running.tail!;
      this.#running.remove(victim);
      this.#blocks.release(victim);
      victim.computedTokens = 0;
      this.#waiting.prepend(victim);
      this.#preemptions++;
      this.#moves.push({ kind: "preempted", request: victim.request, cachedTokens: 0 });
      if (victim === sequence) return false;
    }
    return true;
  }

  /** Takes requests from the queue into the batch until budget, seats or blocks run out; the first that does not fit stops it. */
  #admit(tokensMax: number): void {
    let budget = tokensMax;
    while (budget > 0 && this.#running.size < this.#options.seqsMax) {
      const sequence = this.#fetched.head ?? this.#waiting.head;
      if (!sequence) return;
      const { request } = sequence;
      const arrived = sequence.list === this.#fetched;
      const hitTokens = arrived ? 0 : this.#blocks.lookUp(sequence);
      if (request.fetchesPrompt && !arrived && !sequence.started) {
        if (!this.#startFetch(sequence, hitTokens)) return;
        continue;
      }
      const computedTokens = arrived ? sequence.computedTokens : hitTokens;
      const pending = request.promptTokens + sequence.generatedTokens - computedTokens;
      const tokens = Math.min(pending, this.#chunkTokensMax, budget);
      if (!this.#blocks.allocate(sequence, computedTokens + tokens, hitTokens)) return;
      sequence.list!.remove(sequence);
      this.#running.append(sequence);
      sequence.computedTokens = computedTokens;
      this.#enlist(sequence, tokens);
      budget -= tokens;
      this.#noteScheduled(sequence, arrived ? sequence.cachedTokens : hitTokens);
    }
  }

  /** Blocks for the whole prompt, for a peer to fill. False when there are too few. */
  #startFetch(sequence: Sequence<R>, hitTokens: number): boolean {
    if (!this.#blocks.reserve(sequence, sequence.request.promptTokens, hitTokens)) return false;
    sequence.cachedTokens = hitTokens;
    this.#waiting.remove(sequence);
    this.#fetching.append(sequence);
    this.#moves.push({ kind: "fetch", request: sequence.request, cachedTokens: hitTokens });
    return true;
  }

  #noteScheduled(sequence: Sequence<R>, cachedTokens: number): void {
    const { request } = sequence;
    this.#moves.push({ kind: sequence.started ? "resumed" : "scheduled", request, cachedTokens });
    if (sequence.started) return;
    sequence.started = true;
    sequence.cachedTokens = cachedTokens;
    if (sequence.computedTokens < (request.encodeTokens ?? 0)) this.#encodeUs += request.encodeUs ?? 0;
    this.#queriesTokens += request.promptTokens;
    this.#hitsTokens += cachedTokens;
  }

  #enlist(sequence: Sequence<R>, tokens: number): void {
    this.#batch.push(sequence);
    this.#batchTokens.push(tokens);
    const work = this.#work;
    const { computedTokens, generatedTokens, request } = sequence;
    if (generatedTokens > 0 && computedTokens === request.promptTokens + generatedTokens - 1) {
      work.decodes++;
      work.decodeContextTokens += computedTokens + 1;
    } else {
      work.prefillTokens += tokens;
      work.prefillContextTokens += tokens * (computedTokens + tokens / 2);
    }
  }

  #endStep(sink: EngineSink<R>): void {
    const timeUs = this.#dueUs;
    this.#inStep = false;
    this.#steps++;
    this.#log.flush(sink, timeUs);
    sink.stepped?.(this.#stepStartUs, timeUs, this.#work.prefillTokens, this.#work.decodes);
    for (let i = 0; i < this.#batch.length; i++) {
      const sequence = this.#batch[i];
      // Cancelled while the step ran, or by a sink just now.
      if (sequence.list !== this.#running) continue;
      const { request } = sequence;
      sequence.computedTokens += this.#batchTokens[i];
      if (sequence.computedTokens < request.promptTokens + sequence.generatedTokens) continue;
      const index = sequence.generatedTokens++;
      this.#generatedTokens++;
      if (index === 0) {
        this.#promptTokens += request.promptTokens;
        this.#cachedPromptTokens += sequence.cachedTokens;
        this.#fetchedPromptTokens += sequence.fetchedTokens;
      }
      const last = sequence.generatedTokens === request.outputTokens;
      // Free before telling, so that a sink that submits at once finds the room.
      if (last) this.#finish(sequence);
      sink.token(request, timeUs, index);
      if (last) sink.finished(request, timeUs);
    }
  }

  #finish(sequence: Sequence<R>): void {
    if (!sequence.request.holdsBlocks) return this.#end(sequence);
    this.#byId.delete(sequence.request.id);
    sequence.list?.remove(sequence);
    this.#held.set(sequence.request.id, sequence);
  }

  #end(sequence: Sequence<R>): void {
    this.#byId.delete(sequence.request.id);
    this.#blocks.release(sequence);
    sequence.list?.remove(sequence);
  }
}

/** What happened to a request while a step was made up. */
interface Move<R> {
  readonly kind: "scheduled" | "resumed" | "fetch" | "preempted";
  readonly request: R;
  readonly cachedTokens: number;
}

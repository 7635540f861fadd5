import { createEngine, type Engine } from "../engine/engine.ts";
import type { EngineSignals, EngineSink } from "../engine/engine-types.ts";
import { INSTANT_STEP_TIME } from "../engine/step-time.ts";
import { createModelClock, wallMs, type ModelClock } from "./model-clock.ts";
import type { PodSettings } from "./pod-options.ts";
import type { PodRequest } from "./pod-request.ts";
import type { RequestStats } from "./request-stats.ts";

/** Told of requests whose KV moves between pods. */
export interface KvHooks {
  /** A peer has computed the prompt; `EngineHost.kvFetched` is to be called once that is here, and not before this returns. */
  fetch(request: PodRequest, cachedTokens: number): void;
  /** A request that holds its blocks has finished. */
  finished(request: PodRequest): void;
  /** A request's client went away. */
  aborted(request: PodRequest): void;
}

/** Runs one engine in real time: a timer wakes it when its next step ends, and requests get what came out. */
export class EngineHost {
  readonly clock: ModelClock;
  /** Set when the pod transfers KV. */
  kv: KvHooks | undefined;
  readonly #engine: Engine<PodRequest>;
  readonly #sink: EngineSink<PodRequest>;
  readonly #open = new Set<PodRequest>();
  /** Requests with new tokens since the engine was last advanced. */
  readonly #progressed = new Set<PodRequest>();
  readonly #stats: RequestStats;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(settings: PodSettings, stats: RequestStats) {
    const { engine, timeScale, blockEvents } = settings;
    this.clock = createModelClock(timeScale);
    this.#engine = createEngine<PodRequest>(timeScale === 0 ? { ...engine, stepTime: INSTANT_STEP_TIME } : engine);
    this.#stats = stats;
    this.#sink = { ...this.#makeSink(), ...blockEvents };
  }

  /** Requests that wait or run. */
  get openRequests(): ReadonlySet<PodRequest> {
    return this.#open;
  }

  /** Undefined when the engine would take it, else why not. */
  refusal(request: PodRequest): string | undefined {
    return this.#engine.refusal(request);
  }

  /** Throws RangeError when `refusal` has a reason. */
  submit(request: PodRequest): void {
    const nowUs = this.#catchUp();
    request.arrivedUs = nowUs;
    this.#engine.submit(nowUs, request);
    this.#open.add(request);
    this.#advance(nowUs);
  }

  /** Drops a request that has not finished; does nothing for another. */
  abort(request: PodRequest): void {
    if (!this.#drop(request)) return;
    this.#stats.aborted(request, this.clock.nowUs());
  }

  /** Ends a request that can't be served after all; does nothing for one that has ended. */
  fail(request: PodRequest, message: string): void {
    if (!this.#drop(request)) return;
    this.#stats.ended.error++;
    request.onFailed(message);
  }

  /** `tokens` prompt tokens came from a peer. Returns how many of them count, 0 when the request has ended. */
  kvFetched(request: PodRequest, tokens: number): number {
    const nowUs = this.#catchUp();
    const counted = this.#engine.kvFetched(nowUs, request.id, tokens) ?? 0;
    request.fetchedTokens = counted;
    this.#advance(nowUs);
    return counted;
  }

  /** Numbers of the blocks that a finished request holds, empty when it holds none. */
  heldBlocks(requestId: string): readonly number[] {
    return [...(this.#engine.heldBlocks(requestId) ?? [])];
  }

  /** Gives held blocks back. */
  releaseHeld(request: PodRequest): void {
    this.#engine.releaseHeld(this.clock.nowUs(), request.id);
    this.#arm();
  }

  /** Counters and state as of now. */
  signals(): EngineSignals {
    this.#catchUp();
    return this.#engine.signals();
  }

  /** Forgets all cached blocks; false while a request holds some. */
  clearCache(): boolean {
    return this.#engine.clearCache(this.#catchUp(), this.#sink);
  }

  /** Stops the timer; requests that are open stay unanswered. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** False when it had ended already. */
  #drop(request: PodRequest): boolean {
    this.#catchUp();
    if (!this.#open.delete(request)) return false;
    this.#engine.cancel(request.id);
    this.kv?.aborted(request);
    request.state = "aborted";
    this.#arm();
    return true;
  }

  #catchUp(): number {
    const nowUs = this.clock.nowUs();
    this.#advance(nowUs);
    return nowUs;
  }

  #advance(nowUs: number): void {
    if (this.#stopped) return;
    this.#engine.advance(nowUs, this.#sink);
    this.#arm();
    if (this.#progressed.size === 0) return;
    const progressed = [...this.#progressed];
    this.#progressed.clear();
    for (const request of progressed) request.onProgress();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const dueUs = this.#engine.nextDueAtUs();
    if (dueUs === Infinity || this.#stopped) return;
    const waitMs = Math.max(0, Math.ceil(this.clock.realMs(dueUs - this.clock.nowUs())));
    this.#timer = setTimeout(() => this.#catchUp(), waitMs);
  }

  #makeSink(): EngineSink<PodRequest> {
    return {
      scheduled: (request, timeUs, cachedTokens, resumed) => {
        request.state = "running";
        if (resumed) return;
        request.cachedTokens = cachedTokens;
        request.scheduledUs = timeUs;
      },
      preempted: (request) => {
        request.state = "waiting";
        request.preemptions++;
      },
      token: (request, timeUs, index) => {
        request.emittedTokens = index + 1;
        if (index === 0) {
          request.firstTokenUs = timeUs;
          request.firstTokenWallMs = wallMs();
        }
        this.#stats.token(request, timeUs, index);
        request.lastTokenUs = timeUs;
        this.#progressed.add(request);
      },
      finished: (request) => {
        request.state = "finished";
        this.#open.delete(request);
        this.#stats.finished(request);
        if (request.holdsBlocks) this.kv?.finished(request);
      },
      fetchKv: (request, _, cachedTokens) => {
        request.cachedTokens = cachedTokens;
        this.kv?.fetch(request, cachedTokens);
      },
      stepped: (_start, _end, prefillTokens, decodeTokens) => this.#stats.stepped(prefillTokens + decodeTokens),
    };
  }
}

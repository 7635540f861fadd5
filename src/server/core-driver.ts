import type { CoreLimits } from "../core/core-limits.ts";
import { Core } from "../core/core.ts";
import type { Decision } from "../core/decision.ts";
import type { Env } from "../core/env.ts";
import type {
  AskValue,
  ConfigSource,
  CoreEvent,
  EndCause,
  EndpointDescription,
  ServedWord,
  SignalRow,
} from "../core/events.ts";
import type { Ask, Notice } from "../core/notices.ts";
import type { Usage } from "../core/parser.ts";
import type { CompilePlan } from "../core/plan.ts";
import type { BlockedPrompts, RequestFacts } from "../core/request-facts.ts";
import type { ResponseMetadata } from "../core/request-state.ts";
import { guardedProbe } from "./guarded-probe.ts";

/** An event before the driver stamps its time. */
export type Unstamped<E extends CoreEvent = CoreEvent> = E extends CoreEvent ? Omit<E, "atUs"> : never;

/** Facts of a request before the driver numbers it. */
export type NewFacts = Omit<RequestFacts, "key">;

/** Whoever brings a request. */
export interface Requester {
  /** Called once, in the same turn or later; not called when the request ends first. */
  decided(decision: Decision): void;
  /** Cuts the prompts, which the requester still holds, into blocks of another size; undefined when it can't. */
  blocks?(blockSizeTokens: number): BlockedPrompts | undefined;
}

export interface CoreDriverOptions {
  readonly compile: CompilePlan;
  readonly seed: number;
  readonly limits?: Partial<CoreLimits>;
  /** Microseconds on a clock that never goes back. */
  readonly nowUs: () => number;
  /** Sees each event as it enters the core, with its number. */
  readonly record?: (event: CoreEvent, number: number) => void;
  /** Does the IO of an ask that is not about the request's own blocks. */
  readonly ask?: (ask: Ask) => Promise<AskValue>;
  /** Times the plugins (`Env.probe`). */
  readonly probe?: Env["probe"];
  /** Told of what a requester, observer, probe or recorder threw: others go on. Without it that is thrown on, and they may not. */
  readonly failed?: (error: unknown) => void;
}

/** Longest delay of a timer in Node; a longer one would fire at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/**
 * Drives a core in real time: stamps events, numbers requests, drains the signal mailbox before each step, keeps the
 * timer for the core's next deadline and hands notices on after the step. The one writer of its core.
 */
export class CoreDriver {
  readonly core: Core;
  readonly #options: CoreDriverOptions;
  readonly #requesters = new Map<number, Requester>();
  readonly #observers = new Set<(notice: Notice) => void>();
  /** Last unread scrape by slot: as many rows as endpoints, at most. */
  readonly #mailbox = new Map<number, SignalRow>();
  #notices: Notice[] = [];
  #dispatching = false;
  #timer: NodeJS.Timeout | undefined;
  #timerAtUs = Number.POSITIVE_INFINITY;
  #nextKey = 0;
  #eventCount = 0;
  #closed = false;

  constructor(options: CoreDriverOptions) {
    this.#options = options;
    const env: Env = {
      seed: options.seed,
      emit: (notice: Notice) => void this.#notices.push(notice),
      ...(options.probe && { probe: this.#probe(options.probe) }),
    };
    this.core = new Core({ env, compile: options.compile, ...(options.limits && { limits: options.limits }) });
  }

  /** Now, on the driver's clock. */
  get nowUs(): number {
    return Math.max(this.#options.nowUs(), this.core.nowUs);
  }

  /** Requests whose requester still waits or is being served. */
  get requesterCount(): number {
    return this.#requesters.size;
  }

  /** Events that went into the core. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** Sees all notices, in order, after the step that made them. Returns a function that ends it. */
  observe(observer: (notice: Notice) => void): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  /** Loads a config. Throws with the config's errors; the plan before stays then. */
  load(source: ConfigSource): void {
    this.#step({ type: "configLoaded", source });
  }

  upsert(endpoint: EndpointDescription): { slot: number; generation: number } | undefined {
    this.#step({ type: "endpointUpserted", endpoint });
    const slot = this.core.endpoints.slotOf(endpoint.id);
    return slot < 0 ? undefined : { slot, generation: this.core.endpoints.generation[slot] };
  }

  remove(id: string): void {
    this.#step({ type: "endpointRemoved", id });
  }

  /** Puts a scrape into the mailbox. The core sees it before its next decision. Not kept of an endpoint that is gone. */
  scraped(row: SignalRow): void {
    if (!this.core.endpoints.holds(row.slot, row.generation)) return;
    const unread = this.#mailbox.get(row.slot);
    const news = row.values ? this.#news(row, unread) : row;
    if (!news) return;
    const stamped = { ...news, atUs: this.#options.nowUs() };
    this.#mailbox.set(row.slot, unread ? merged(unread, stamped) : stamped);
  }

  /** Empties the mailbox into the core; for readers of signals outside a step. */
  drain(): void {
    if (this.#mailbox.size === 0) return;
    const rows = [...this.#mailbox.values()];
    this.#mailbox.clear();
    this.#enter({ type: "signals", rows });
    this.#dispatch();
  }

  /** A request arrived. Returns its key, by which the later calls name it. */
  arrive(facts: NewFacts, requester: Requester): number {
    const key = this.#nextKey++;
    this.#requesters.set(key, requester);
    this.#step({ type: "requestArrived", facts: { ...facts, key } });
    return key;
  }

  /** Response headers came. Returns the headers that plugins set on the response, by lower-case name. */
  responseStarted(key: number, word: ServedWord): ReadonlyMap<string, string> {
    this.#step({ type: "responseStarted", key, ...word });
    return this.core.responseHeaders(key);
  }

  responseFirstByte(key: number): void {
    this.#step({ type: "responseFirstByte", key });
  }

  /**
   * The request is over: to be called once for each arrived one, whatever ended it; a rejected one is over already.
   * Returns what plugins tell the proxy with the end of the response.
   */
  ended(key: number, cause: EndCause, usage?: Usage): ResponseMetadata | undefined {
    this.#requesters.delete(key);
    if (this.#mailbox.size > 0) this.drain();
    this.#enter({ type: "requestEnded", key, cause, ...(usage && { usage }) });
    // Before the dispatch, as whoever gets a notice may end another request.
    const { endMetadata } = this.core;
    this.#dispatch();
    return endMetadata;
  }

  /** Stops the timer. Events after this are still taken, but no deadline is kept. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** The row without values that are known: these seldom change, and each would be in each event. Undefined: no news. */
  #news(row: SignalRow, unread: SignalRow | undefined): SignalRow | undefined {
    const { values: told = {}, ...others } = row;
    const known = (id: string) => unread?.values?.[id] ?? this.core.endpoints.valueOf(id, row.slot);
    const news = Object.entries(told).filter(([id, value]) => JSON.stringify(known(id)) !== JSON.stringify(value));
    if (news.length > 0) return { ...others, values: Object.fromEntries(news) };
    return others.aside && !others.attributes ? undefined : others;
  }

  #step(event: Unstamped): void {
    if (this.#mailbox.size > 0) this.drain();
    this.#enter(event);
    this.#dispatch();
  }

  #enter(unstamped: Unstamped): void {
    const event = { ...unstamped, atUs: this.nowUs } as CoreEvent;
    this.core.step(event);
    const number = this.#eventCount++;
    const { record } = this.#options;
    if (record) this.#guarded(() => record(event, number));
    this.#keepTimer();
  }

  /** Hands notices on outside of the core's step, so that whoever gets one may call the driver again. */
  #dispatch(): void {
    if (this.#dispatching) return;
    this.#dispatching = true;
    try {
      while (this.#notices.length > 0) {
        const notices = this.#notices;
        this.#notices = [];
        for (const notice of notices) this.#handOn(notice);
      }
    } finally {
      this.#dispatching = false;
    }
  }

  #handOn(notice: Notice): void {
    for (const observer of this.#observers) this.#guarded(() => observer(notice));
    if (notice.type === "decision") this.#decided(notice.decision);
    else if (notice.type === "ask") this.#ask(notice.ask);
  }

  #decided(decision: Decision): void {
    const { key } = decision.facts;
    const requester = this.#requesters.get(key);
    // The core holds nothing for a rejected request, so nobody need tell its end.
    if (decision.outcome.kind === "rejected") this.#requesters.delete(key);
    // Who fails to take it can't be trusted to tell its end either.
    if (!this.#guarded(() => requester?.decided(decision))) this.ended(key, "error");
  }

  #ask(ask: Ask): void {
    if (ask.kind !== "blockIds") {
      void this.#askOutside(ask);
      return;
    }
    const { blockSizeTokens } = ask.payload as { blockSizeTokens: number };
    let blocks: BlockedPrompts | undefined;
    this.#guarded(() => (blocks = this.#requesters.get(ask.request)?.blocks?.(blockSizeTokens)));
    if (blocks) this.#step({ type: "askAnswered", ask: ask.id, value: { prompts: blocks.prompts as never } });
    else this.#step({ type: "askFailed", ask: ask.id, cause: "the prompt is gone" });
  }

  async #askOutside(ask: Ask): Promise<void> {
    let event: Unstamped;
    try {
      if (!this.#options.ask) throw new Error(`nobody answers "${ask.kind}"`);
      event = { type: "askAnswered", ask: ask.id, value: await this.#options.ask(ask) };
    } catch (error) {
      event = { type: "askFailed", ask: ask.id, cause: String(error) };
    }
    this.#step(event);
  }

  /** What a probe throws would break off the core's step, and with it others' requests. */
  #probe(probe: NonNullable<Env["probe"]>): NonNullable<Env["probe"]> {
    const { failed } = this.#options;
    return failed ? guardedProbe(probe, failed) : probe;
  }

  /** Calls what is not ours. False when it threw. */
  #guarded(call: () => void): boolean {
    try {
      call();
      return true;
    } catch (error) {
      if (!this.#options.failed) throw error;
      this.#options.failed(error);
      return false;
    }
  }

  #keepTimer(): void {
    const dueAtUs = this.core.nextDueAtUs() ?? Number.POSITIVE_INFINITY;
    if (dueAtUs === this.#timerAtUs || this.#closed) return;
    clearTimeout(this.#timer);
    this.#timerAtUs = dueAtUs;
    if (dueAtUs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.ceil((dueAtUs - this.#options.nowUs()) / 1000);
    this.#timer = setTimeout(
      () => {
        this.#timerAtUs = Number.POSITIVE_INFINITY;
        this.#step({ type: "timePassed" });
      },
      Math.min(Math.max(0, delayMs), DELAY_MS_MAX),
    );
    this.#timer.unref();
  }
}

/** Two scrapes of one endpoint as one: what the later one does not tell stays. */
function merged(earlier: SignalRow, later: SignalRow): SignalRow {
  const attributes = earlier.attributes && later.attributes && { ...earlier.attributes, ...later.attributes };
  const values = earlier.values && later.values && { ...earlier.values, ...later.values };
  const untold = earlier.lora && later.lora && later.lora.max < 0;
  const { aside: _, ...row } = {
    ...earlier,
    ...later,
    ...(attributes && { attributes }),
    ...(values && { values }),
    ...(untold && { lora: { ...later.lora, max: earlier.lora.max } }),
  };
  if (earlier.aside && later.aside) return { ...row, aside: true };
  // The signals' own time, where only the earlier one has them.
  return later.aside && earlier.atUs !== undefined ? { ...row, atUs: earlier.atUs } : row;
}

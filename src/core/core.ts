import type { Admission } from "./admission.ts";
import { sheddableAdmission } from "./admission.ts";
import { DecisionHash } from "./decision-hash.ts";
import { DecisionRing } from "./decision-record.ts";
import type { Picked, Rejected } from "./decision.ts";
import { DueHeap } from "./due-heap.ts";
import { Endpoints, ENDPOINTS_MAX } from "./endpoints.ts";
import type { Env, Micros } from "./env.ts";
import type {
  AskValue,
  ConfigSource,
  CoreEvent,
  EndpointDescription,
  RequestEnded,
  ResponseStarted,
} from "./events.ts";
import type { CompilePlan, Plan } from "./plan.ts";
import type { CoreLimits } from "./core-limits.ts";
import { DEFAULT_CORE_LIMITS } from "./core-limits.ts";
import { callHooks } from "./plugin-hooks.ts";
import type { Rejection } from "./rejection.ts";
import type { RequestFacts } from "./request-facts.ts";
import type { RunContext, RunResult } from "./request-run.ts";
import { admitted, advance, resume } from "./request-run.ts";
import type { ResponseMetadata } from "./request-state.ts";
import { RequestState } from "./request-state.ts";
import { servedTarget } from "./served-target.ts";

export interface CoreOptions {
  readonly env: Env;
  readonly compile: CompilePlan;
  readonly limits?: Partial<CoreLimits>;
  /** Makes the admission of a plan; default: the stock rule without flow control. */
  readonly admission?: (plan: Plan) => Admission;
}

const NO_HEADERS: ReadonlyMap<string, string> = new Map();
const SAME_KEY: Rejection = { code: "Internal", message: "a request of the same key is under way" };
const TOO_MANY: Rejection = { code: "ServiceUnavailable", message: "too many requests in flight" };

/**
 * Everything that the picker knows, and the only place where it decides. Synchronous and deterministic: equal events
 * and an equal seed give equal notices, in order, on any machine. Drivers feed it events with `step`, do the IO that it
 * asks for, and call it again no later than `nextDueAtUs`.
 */
export class Core {
  readonly endpoints = new Endpoints();
  readonly limits: CoreLimits;
  readonly #env: Env;
  readonly #compile: CompilePlan;
  readonly #admissionOf: (plan: Plan) => Admission;
  readonly #requests = new Map<number, RequestState>();
  readonly #asks = new Map<number, RequestState>();
  readonly #askDue = new DueHeap();
  readonly #objectives = new Map<string, number>();
  readonly #ring: DecisionRing;
  readonly #hash = new DecisionHash();
  readonly #run: RunContext;
  #plan: Plan | undefined;
  #admission: Admission = sheddableAdmission;
  #nextAsk = 0;
  #nowUs: Micros = 0;
  #endMetadata: ResponseMetadata | undefined;

  constructor(options: CoreOptions) {
    this.#env = options.env;
    this.#compile = options.compile;
    this.limits = { ...DEFAULT_CORE_LIMITS, ...options.limits };
    this.#admissionOf = options.admission ?? (() => sheddableAdmission);
    this.#ring = new DecisionRing(this.limits);
    this.#run = this.#runContext();
  }

  /** The current plan. Throws before the first `configLoaded`. */
  get plan(): Plan {
    if (!this.#plan) throw new Error("Cannot use the plan: no config was loaded");
    return this.#plan;
  }

  /** Time of the last event. */
  get nowUs(): Micros {
    return this.#nowUs;
  }

  /** Requests between arrival and end, parked ones included. */
  get requestCount(): number {
    return this.#requests.size;
  }

  /** Canonical hash over all decisions and their reasons. */
  get decisionHash(): string {
    return this.#hash.hex;
  }

  get decisionCount(): number {
    return this.#hash.count;
  }

  /** The decisions' reasons that are still kept. */
  get decisions(): DecisionRing {
    return this.#ring;
  }

  /** Headers that plugins set on a request's response, by lower-case name. */
  responseHeaders(key: number): ReadonlyMap<string, string> {
    return this.#requests.get(key)?.responseHeaders ?? NO_HEADERS;
  }

  /** What plugins tell the proxy of the request that the last step ended, by namespace and name; undefined = nothing. */
  get endMetadata(): ResponseMetadata | undefined {
    return this.#endMetadata;
  }

  /** Block sizes in tokens for which arriving requests should bring block ids. */
  blockSizesTokens(): readonly number[] {
    const sizes = new Set<number>();
    for (const { plugin } of this.plan.plugins) for (const size of plugin.blockSizesTokens?.() ?? []) sizes.add(size);
    return [...sizes];
  }

  /** When the core wants to be called again, at the latest; undefined: not before something happens. */
  nextDueAtUs(): Micros | undefined {
    const asks = this.#askDue.nextUs;
    const admission = this.#admission.nextDueAtUs?.();
    if (asks === undefined) return admission;
    return admission === undefined ? asks : Math.min(asks, admission);
  }

  /**
   * Takes in one event; everything that follows from it is emitted before this returns. Throws only for a config that
   * can't be used; nothing has changed then.
   */
  step(event: CoreEvent): void {
    // Before all else: what can't be compiled throws, and nothing may have changed then.
    const plan = event.type === "configLoaded" ? this.#compiled(event.source) : undefined;
    if (event.atUs > this.#nowUs) this.#nowUs = event.atUs;
    this.#passDeadlines();
    if (plan) this.#use(plan);
    else this.#take(event);
    this.#dispatch();
    this.#askDue.prune((ask) => this.#asks.has(ask));
  }

  #take(event: CoreEvent): void {
    switch (event.type) {
      case "endpointUpserted":
        return this.#upsert(event.endpoint);
      case "endpointRemoved":
        return this.#remove(this.endpoints.slotOf(event.id));
      case "objectiveUpserted":
        this.#objectives.set(event.name, event.priority);
        return undefined;
      case "objectiveRemoved":
        this.#objectives.delete(event.name);
        return undefined;
      case "signals":
        for (const row of event.rows) this.endpoints.scraped(row, this.#nowUs);
        return undefined;
      case "requestArrived":
        return this.#arrive(event.facts);
      case "responseStarted":
        return this.#responseStarted(event);
      case "responseFirstByte":
        return this.#tell(event.key, event.type);
      case "requestEnded":
        return this.#end(event);
      case "askAnswered":
        return this.#answer(event.ask, event.value, "answered");
      case "askFailed":
        return this.#answer(event.ask, null, "failed");
      case "configLoaded":
      case "timePassed":
        return undefined;
    }
  }

  #compiled(source: ConfigSource): Plan {
    return this.#compile(source, { endpoints: this.endpoints, seed: this.#env.seed, limits: this.limits });
  }

  #use(plan: Plan): void {
    const queued = [...this.#requests.values()].filter(({ stage }) => stage === "admission");
    for (const { facts } of queued) this.#admission.cancel?.(facts.key);
    this.#plan = plan;
    this.#admission = this.#admissionOf(plan);
    for (const slot of this.endpoints.slots()) {
      callHooks(plan, "endpointAdded", this.#env, (plugin) => plugin.endpointAdded?.(slot));
    }
    for (const request of queued) this.#go(request, () => advance(request, this.#run));
  }

  /** The current plan, and those of requests under way: these score by what their plugins know of the endpoints. */
  #plansInUse(): ReadonlySet<Plan> {
    const plans = new Set(this.#plan && [this.#plan]);
    for (const { plan } of this.#requests.values()) plans.add(plan);
    return plans;
  }

  #upsert(endpoint: EndpointDescription): void {
    const slot = this.endpoints.slotOf(endpoint.id);
    if (slot >= 0) {
      const known = this.endpoints.description[slot];
      if (known.address === endpoint.address && known.port === endpoint.port) {
        this.endpoints.describe(slot, endpoint);
        for (const plan of this.#plansInUse()) {
          callHooks(plan, "endpointChanged", this.#env, (plugin) => plugin.endpointChanged?.(slot));
        }
        return;
      }
      this.#remove(slot);
    }
    const added = this.endpoints.add(endpoint);
    if (added < 0) this.#env.emit({ type: "endpointRefused", id: endpoint.id, limit: ENDPOINTS_MAX });
    else {
      for (const plan of this.#plansInUse()) {
        callHooks(plan, "endpointAdded", this.#env, (plugin) => plugin.endpointAdded?.(added));
      }
    }
  }

  #remove(slot: number): void {
    if (slot < 0) return;
    for (const plan of this.#plansInUse()) {
      callHooks(plan, "endpointRemoved", this.#env, (plugin) => plugin.endpointRemoved?.(slot));
    }
    this.endpoints.remove(slot);
  }

  #arrive(facts: RequestFacts): void {
    const request = new RequestState(facts, this.plan, this.#nowUs);
    const known = this.#requests.has(facts.key);
    if (known || this.#requests.size >= this.limits.requestsMax) {
      this.#decide(request, { kind: "rejected", rejection: known ? SAME_KEY : TOO_MANY });
      return;
    }
    this.#requests.set(facts.key, request);
    this.#go(request, () => advance(request, this.#run));
  }

  /** Runs a request on; decides when it is not parked. */
  #go(request: RequestState, run: () => RunResult): void {
    request.nowUs = this.#nowUs;
    let outcome: RunResult;
    try {
      outcome = run();
    } catch (error) {
      this.#env.emit({ type: "pluginFailed", request: request.facts.key, cause: String(error) });
      outcome = { kind: "rejected", rejection: { code: "Internal", message: "request could not be scheduled" } };
    }
    if (!outcome) return;
    if (outcome.kind === "rejected" || request.facts.bodyless) this.#requests.delete(request.facts.key);
    if (outcome.kind === "rejected" && request.reserved) this.#release(request, "error", undefined);
    this.#decide(request, outcome);
    request.dropPrompt();
  }

  #decide(request: RequestState, outcome: Picked | Rejected): void {
    const sequence = this.#hash.count;
    const record = this.#ring.get(sequence) ?? this.#begin(undefined);
    const decision = {
      facts: request.facts,
      sequence,
      atUs: this.#nowUs,
      outcome,
      targetModel: request.targetModel,
      priority: request.priority,
      fairnessId: request.fairnessId,
      headers: request.headers,
      scores: () => scoresOf(this.#ring, sequence),
      record: () => this.#ring.get(sequence),
    };
    this.#hash.add(decision, record);
    this.#env.emit({ type: "decision", decision });
  }

  #begin(request: RequestState | undefined) {
    const record = this.#ring.place(this.#hash.count, request?.table?.count ?? 0);
    record.begin(this.#hash.count, request?.table, this.endpoints, this.#nowUs);
    return record;
  }

  #runContext(): RunContext {
    return {
      env: this.#env,
      endpoints: this.endpoints,
      admission: () => this.#admission,
      priorityOf: (objective) => this.#objectives.get(objective) ?? 0,
      record: (request) => this.#begin(request),
      ask: (request, asker, draft, timeoutUs) => {
        const id = this.#nextAsk++;
        const waits = "untilUs" in draft;
        const dueAtUs = waits ? draft.untilUs : this.#nowUs + (draft.timeoutUs ?? timeoutUs);
        request.ask = id;
        request.waits = waits;
        request.asker = asker;
        this.#asks.set(id, request);
        this.#askDue.push(dueAtUs, id);
        if (waits) return;
        const { kind, payload } = draft;
        this.#env.emit({ type: "ask", ask: { id, request: request.facts.key, kind, payload, dueAtUs } });
      },
    };
  }

  #answer(ask: number, value: AskValue, reason: "answered" | "failed" | "deadline"): void {
    const request = this.#asks.get(ask);
    // Nobody can answer a wait: its time comes.
    if (!request || (request.waits && reason !== "deadline")) {
      this.#env.emit({ type: "answerIgnored", ask });
      return;
    }
    this.#overAsk(request, reason);
    this.#go(request, () => resume(request, value, this.#run));
  }

  #overAsk(request: RequestState, reason: "answered" | "failed" | "deadline" | "request-gone"): void {
    const { ask } = request;
    this.#asks.delete(ask);
    request.ask = -1;
    if (!request.waits) this.#env.emit({ type: "askOver", ask, reason });
  }

  #passDeadlines(): void {
    for (let ask = this.#askDue.popDue(this.#nowUs); ask !== undefined; ask = this.#askDue.popDue(this.#nowUs)) {
      if (this.#asks.has(ask)) this.#answer(ask, null, "deadline");
    }
  }

  #dispatch(): void {
    for (const { key, verdict } of this.#admission.dispatch?.(this.#nowUs) ?? []) {
      const request = this.#requests.get(key);
      if (request?.stage !== "admission") continue;
      this.#go(request, () =>
        verdict === "admitted" ? admitted(request, this.#run) : { kind: "rejected", rejection: verdict },
      );
    }
  }

  #tell(key: number, hook: "responseStarted" | "responseFirstByte"): void {
    const request = this.#requests.get(key);
    if (!request?.reserved) {
      this.#env.emit({ type: "requestUnknown", request: key, event: hook });
      return;
    }
    request.nowUs = this.#nowUs;
    callHooks(request.plan, hook, this.#env, (plugin) => plugin[hook]?.(request));
  }

  #responseStarted(event: ResponseStarted): void {
    const request = this.#requests.get(event.key);
    if (request) request.servedWord = event;
    if (event.served !== undefined && request?.reserved) this.#move(request, event.served);
    this.#tell(event.key, event.type);
  }

  /** The proxy sent it elsewhere (a fallback of the list): what was reserved goes along. */
  #move(request: RequestState, served: string): void {
    const [from, ...others] = request.targets;
    const target = servedTarget(request, served, this.endpoints);
    if (!target || (target.slot === from.slot && target.generation === from.generation)) return;
    const { slot, generation } = target;
    const to = { profile: from.profile, slot, generation, row: request.table.rowOf(slot, generation) };
    callHooks(request.plan, "moved", this.#env, (plugin) => plugin.moved?.(request, from, to));
    request.targets = [to, ...others];
  }

  #end(event: RequestEnded): void {
    this.#endMetadata = undefined;
    const request = this.#requests.get(event.key);
    if (!request) return;
    this.#requests.delete(event.key);
    request.nowUs = this.#nowUs;
    if (request.ask >= 0) this.#overAsk(request, "request-gone");
    if (request.stage === "admission") this.#admission.cancel?.(event.key);
    if (request.reserved) this.#release(request, event.cause, event.usage);
    this.#endMetadata = request.responseMetadata;
  }

  #release(request: RequestState, cause: RequestEnded["cause"], usage: RequestEnded["usage"]): void {
    request.reserved = false;
    callHooks(request.plan, "requestEnded", this.#env, (plugin) => plugin.requestEnded?.(request, cause, usage));
    this.#env.emit({ type: "requestReleased", request: request.facts.key });
  }
}

function scoresOf(ring: DecisionRing, sequence: number): Readonly<Record<string, number>> | undefined {
  const record = ring.get(sequence);
  if (!record || record.primary < 0 || record.hidesScores) return undefined;
  const run = record.profiles[record.primary];
  const scores: Record<string, number> = {};
  for (let i = 0; i < run.count; i++) scores[record.targets[run.rows[i]]] = run.totals[i];
  return scores;
}

import type { Admission } from "./admission.ts";
import { CandidateTable } from "./candidates.ts";
import { holdsPrefix, isConditional, PREFER_HEADER } from "./conditional-decode.ts";
import { aliased, FAIRNESS_HEADERS, MODEL_REWRITE_HEADERS, OBJECTIVE_HEADERS } from "./control-headers.ts";
import type { DecisionRecord } from "./decision-record.ts";
import type { Picked, Rejected } from "./decision.ts";
import { draw, drawName } from "./draw.ts";
import type { Endpoints } from "./endpoints.ts";
import type { Env, Micros } from "./env.ts";
import type { AskValue } from "./events.ts";
import type { AskDraft, PluginInstance, PrimaryResult, ProfileResult, ReservedTarget, WaitDraft } from "./plugin.ts";
import type { Rejection } from "./rejection.ts";
import { NO_CANDIDATES, NO_MODEL, NO_PODS, NOT_CACHED, SCREENED_OUT } from "./rejection.ts";
import type { RequestState } from "./request-state.ts";
import { schedule } from "./scheduler.ts";
import { subsetSlots } from "./subset.ts";

/** Time that a producer has for its IO, as stock. */
const PRODUCER_TIMEOUT_US: Micros = 400_000;

/** What a request's way needs of the core around it. */
export interface RunContext {
  readonly env: Env;
  readonly endpoints: Endpoints;
  admission(): Admission;
  priorityOf(objective: string): number;
  /** Parks the request until the ask or the wait is over. */
  ask(request: RequestState, asker: PluginInstance, draft: AskDraft | WaitDraft, timeoutUs: Micros): void;
  /** Place for the reasons of the decision that is about to be made. */
  record(request: RequestState): DecisionRecord;
}

/** Undefined: the request is parked. */
export type RunResult = Picked | Rejected | undefined;

const rejected = (rejection: Rejection): Rejected => ({ kind: "rejected", rejection });

/**
 * Takes a request as far as it gets: rewrite, objective, admission, candidates, screeners, producers, admitters,
 * profiles, pre-request, in the stock director's order (requestcontrol/director.go). Called again after each park.
 */
export function advance(request: RequestState, context: RunContext): RunResult {
  for (;;) {
    switch (request.stage) {
      case "arrived": {
        if (request.facts.bodyless) return randomEndpoint(request, context);
        const failure = arrive(request, context);
        if (failure) return rejected(failure);
        break;
      }
      case "admission": {
        const verdict = admit(request, context);
        if (verdict === "queued") return undefined;
        if (verdict !== "admitted") return rejected(verdict);
        request.stage = "candidates";
        break;
      }
      case "candidates": {
        const failure = findCandidates(request, context);
        if (failure) return rejected(failure);
        request.stage = "producers";
        request.position = 0;
        break;
      }
      case "producers":
        if (produce(request, context)) return undefined;
        break;
      case "admitters": {
        const failure = askAdmitters(request, context);
        if (failure) return rejected(failure);
        request.stage = "prepare";
        request.position = 0;
        break;
      }
      case "prepare":
        if (prepare(request, context)) return undefined;
        break;
      default:
        return pick(request, context);
    }
  }
}

/** Gives a parked request the answer to its ask (null: none came) and takes it on. */
export function resume(request: RequestState, answer: AskValue, context: RunContext): RunResult {
  const { asker } = request;
  request.asker = undefined;
  const outcome = asker?.resume?.(request, answer);
  if (typeof outcome === "object") {
    context.ask(request, asker!, outcome, PRODUCER_TIMEOUT_US);
    return undefined;
  }
  if (typeof outcome === "string" && request.stage === "producers") producerFailed(request, context, outcome);
  else request.position++;
  return advance(request, context);
}

/** A queued request's turn has come. */
export function admitted(request: RequestState, context: RunContext): RunResult {
  request.stage = "candidates";
  return advance(request, context);
}

function arrive(request: RequestState, context: RunContext): Rejection | undefined {
  const { facts } = request;
  const wanted = aliased(facts.headers, MODEL_REWRITE_HEADERS) ?? "";
  request.targetModel = wanted || (facts.rewritable ? facts.model : "");
  if (facts.rewritable && request.targetModel === "") return NO_MODEL;
  request.priority = context.priorityOf(aliased(facts.headers, OBJECTIVE_HEADERS) ?? "");
  for (const { plugin, name } of request.plan.plugins) {
    if (!plugin.readHeaders) continue;
    context.env.probe?.("RequestHeader", name, "begin");
    const word = plugin.readHeaders(request);
    context.env.probe?.("RequestHeader", name, "end");
    if (word && "code" in word) return word;
    if (word && !aliased(facts.headers, FAIRNESS_HEADERS)) request.fairnessId = word.fairnessId;
  }
  request.stage = "admission";
  return undefined;
}

function admit(request: RequestState, context: RunContext) {
  return context
    .admission()
    .admit(request, () => request.plan.saturationDetector.plugin.saturation(slotsFor(request, context), request.nowUs));
}

function slotsFor(request: RequestState, { endpoints }: RunContext): Int32Array {
  const { subset, excluded } = request.facts;
  const slots = subsetSlots(endpoints, request.plan.honoursSubset ? subset : undefined);
  return excluded ? slots.filter((slot) => !excluded.includes(endpoints.description[slot].id)) : slots;
}

function findCandidates(request: RequestState, context: RunContext): Rejection | undefined {
  const { endpoints } = context;
  request.table = new CandidateTable(slotsFor(request, context), endpoints);
  if (request.table.count === 0) return NO_CANDIDATES;
  const { screeners } = request.plan;
  if (screeners.length === 0) return undefined;
  const all = request.table.present(endpoints);
  const keep = new Int32Array(all.count);
  const votes = new Int32Array(all.count);
  for (const { plugin, name } of screeners) {
    context.env.probe?.("Screener", name, "begin");
    const kept = plugin.screen(request, all, keep);
    context.env.probe?.("Screener", name, "end");
    for (let i = 0; i < kept; i++) votes[keep[i]]++;
  }
  const slots = request.table.slots.filter((_, row) => votes[row] === screeners.length);
  request.table = new CandidateTable(slots, endpoints);
  return request.table.count === 0 ? SCREENED_OUT : undefined;
}

/** True when parked. */
function produce(request: RequestState, context: RunContext): boolean {
  const { producers } = request.plan;
  while (request.position < producers.length) {
    const { plugin, name } = producers[request.position];
    context.env.probe?.("DataProducer", name, "begin");
    const outcome = plugin.produce(request);
    context.env.probe?.("DataProducer", name, "end");
    if (typeof outcome === "object") {
      context.ask(request, plugin, outcome, PRODUCER_TIMEOUT_US);
      return true;
    }
    if (typeof outcome === "string") {
      producerFailed(request, context, outcome);
      return false;
    }
    request.position++;
  }
  request.stage = "admitters";
  return false;
}

/** The first failure ends the producers; the request goes on without their data, as stock. */
function producerFailed(request: RequestState, context: RunContext, cause: string): void {
  const plugin = request.plan.producers[request.position].name;
  context.env.emit({ type: "producerFailed", request: request.facts.key, plugin, cause });
  request.stage = "admitters";
}

function askAdmitters(request: RequestState, context: RunContext): Rejection | undefined {
  const { admitters } = request.plan;
  if (admitters.length === 0) return undefined;
  const candidates = request.table.present(context.endpoints);
  for (const { plugin, name } of admitters) {
    context.env.probe?.("Admission", name, "begin");
    const reason = plugin.deny(request, candidates);
    context.env.probe?.("Admission", name, "end");
    if (typeof reason === "string") return { code: "Internal", message: `request cannot be admitted: ${reason}` };
    if (reason) return reason;
  }
  return undefined;
}

/** True when parked. */
function prepare(request: RequestState, context: RunContext): boolean {
  const { plugins } = request.plan;
  for (; request.position < plugins.length; request.position++) {
    const { plugin } = plugins[request.position];
    const draft = plugin.prepare?.(request);
    if (draft) {
      context.ask(request, plugin, draft, PRODUCER_TIMEOUT_US);
      return true;
    }
  }
  request.stage = "schedule";
  return false;
}

function pick(request: RequestState, context: RunContext): Picked | Rejected {
  const { endpoints, env } = context;
  const record = context.record(request);
  if (!request.table.isAnyPresent(endpoints)) return rejected(NO_CANDIDATES);
  const { results, primary } = schedule(request.plan, request, endpoints, record, env);
  if (!("primary" in primary)) return rejected(primary);
  const result = results[primary.primary];
  if (!result?.ok || result.slots.length === 0) {
    return rejected({
      code: "ResourceExhausted",
      message: "failed to find target endpoint: primary profile picked none",
    });
  }
  if (isConditional(request.header(PREFER_HEADER)) && !holdsPrefix(request, result.rows[0])) {
    return rejected(NOT_CACHED);
  }
  const picks = allPicks(request, results, primary);
  request.targets = picks.filter(({ profile }, i) => i === 0 || profile !== picks[i - 1].profile);
  request.destinations = (primary.targets ?? []).map((destination, i) => ({ destination, ...picks[i] }));
  request.stage = "responding";
  request.reserved = true;
  const name = request.plan.profiles[primary.primary].name;
  for (const { plugin, name: pluginName } of request.plan.plugins) {
    if (!plugin.preRequest) continue;
    env.probe?.("PreRequest", pluginName, "begin");
    plugin.preRequest(request, { primary: name, targets: request.targets, picks });
    env.probe?.("PreRequest", pluginName, "end");
  }
  return {
    kind: "picked",
    targets: primary.targets ?? result.slots.map((slot) => endpoints.target[slot]),
    endpointIds: result.slots.map((slot) => endpoints.description[slot].id),
    slots: result.slots,
  };
}

/** All picks of each profile that ran well, the primary's first. */
function allPicks(
  request: RequestState,
  results: readonly (ProfileResult | undefined)[],
  primary: PrimaryResult,
): readonly ReservedTarget[] {
  const others: ReservedTarget[] = [];
  const picks: ReservedTarget[] = [];
  for (const [index, result] of results.entries()) {
    if (!result?.ok) continue;
    const profile = request.plan.profiles[index].name;
    for (const row of result.rows) {
      const pick = { profile, slot: request.table.slots[row], generation: request.table.generations[row], row };
      (index === primary.primary ? picks : others).push(pick);
    }
  }
  picks.push(...others);
  return picks;
}

const BODYLESS = drawName("bodyless");

/** A request without a body: a random endpoint of all, no subset, no scheduling, as stock (handlers/request.go). */
function randomEndpoint(request: RequestState, context: RunContext): Picked | Rejected {
  const { endpoints, env } = context;
  let best = -1;
  let bestDraw = -1;
  for (const slot of endpoints.slots()) {
    if (request.facts.excluded?.includes(endpoints.description[slot].id)) continue;
    const u = draw(env.seed, request.facts.key, 0, BODYLESS, endpoints.draws[slot]);
    if (u > bestDraw) {
      best = slot;
      bestDraw = u;
    }
  }
  context.record(request);
  if (best < 0) return rejected(NO_PODS);
  const { address, port, id } = endpoints.description[best];
  // As stock: no brackets around an IPv6 address here.
  return { kind: "picked", targets: [`${address}:${port}`], endpointIds: [id], slots: [best] };
}

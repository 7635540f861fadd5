import { Candidates, CandidateTable } from "../../core/candidates.ts";
import type { LatencyPrediction } from "../../core/data-key.ts";
import { Endpoints } from "../../core/endpoints.ts";
import type { SignalRow } from "../../core/events.ts";
import type { Plan } from "../../core/plan.ts";
import type { PickResult, PluginDefinition, PluginInstance, ReservedTarget } from "../../core/plugin.ts";
import type { RequestFacts } from "../../core/request-facts.ts";
import { RequestState } from "../../core/request-state.ts";
import { endpoint, facts } from "../../core/test-support/test-plan.ts";

export type Signals = Partial<Omit<SignalRow, "slot" | "generation">>;

/** A pool of endpoints pod-0, pod-1 ..., each with what one scrape at `atUs` brought; null = never scraped. */
export function poolOf(signals: readonly (Signals | null)[], atUs = 0): Endpoints {
  const endpoints = new Endpoints();
  for (const [i, row] of signals.entries()) {
    const slot = endpoints.add(endpoint(`pod-${i}`, `10.0.${i >> 8}.${i & 255}`));
    if (row) endpoints.scraped({ slot, generation: endpoints.generation[slot], ...row }, atUs);
  }
  return endpoints;
}

export interface MakeOptions {
  readonly name?: string;
  readonly seed?: number;
  readonly prefixIndexBytesMax?: number;
  /** Plugins that it can name, by name. */
  readonly others?: Readonly<Record<string, PluginInstance>>;
}

/** A plugin as the config compiler makes it. */
export function make(
  definition: PluginDefinition,
  params: unknown,
  endpoints: Endpoints,
  options: MakeOptions = {},
): Required<PluginInstance> {
  const plugin = definition.create(definition.params.parse(params), {
    name: options.name ?? definition.type,
    endpoints,
    seed: options.seed ?? 1,
    limits: { prefixIndexBytesMax: options.prefixIndexBytesMax ?? 1 << 20 },
    plugin: (name) => options.others?.[name],
  });
  return plugin as Required<PluginInstance>;
}

/** A request whose candidates are all endpoints of the pool, or the given slots in the given order. */
export function requestOf(
  endpoints: Endpoints,
  more: Partial<RequestFacts> = {},
  slots: Int32Array = endpoints.slots(),
  nowUs = 0,
): RequestState {
  const request = new RequestState(facts(more.key ?? 0, more), {} as Plan, nowUs);
  request.targetModel = request.facts.model;
  request.table = new CandidateTable(slots, endpoints);
  return request;
}

/** All candidates of a request, or those of the given rows. */
function candidatesOf(request: RequestState, rows?: readonly number[]): Candidates {
  const candidates = new Candidates(request.table.count);
  for (const row of rows ?? request.table.slots.keys()) candidates.push(row, request.table.slots[row]);
  return candidates;
}

/** Scores of all candidates, from an `out` that held other numbers before. */
export function scoresOf(plugin: Required<PluginInstance>, request: RequestState, rows?: readonly number[]): number[] {
  const candidates = candidatesOf(request, rows);
  const out = new Float64Array(candidates.count).fill(77);
  plugin.score(request, candidates, out);
  return [...out];
}

/** Places that a filter keeps. */
export function keptBy(plugin: Required<PluginInstance>, request: RequestState): number[] {
  const candidates = candidatesOf(request);
  const keep = new Int32Array(candidates.count);
  return [...keep.subarray(0, plugin.filter(request, candidates, keep))];
}

/** Places that a picker picks, given the totals, and the draws that decided. */
export function picksOf(plugin: Required<PluginInstance>, request: RequestState, totals: readonly number[]) {
  const candidates = candidatesOf(request);
  const picks = new Int32Array(candidates.count);
  const draws = new Float64Array(candidates.count).fill(Number.NaN);
  const count = plugin.pick(request, candidates, Float64Array.from(totals), picks, draws);
  return { picks: [...picks.subarray(0, count)], draws: [...draws] };
}

/** The target of a profile: the candidate of a row. */
export const targetOf = (request: RequestState, row: number, profile = "default"): ReservedTarget => ({
  profile,
  slot: request.table.slots[row],
  generation: request.table.generations[row],
  row,
});

/** What the profiles came to when each picked the given targets, the primary's first; `primary` is that one's profile. */
export const resultOf = (picks: readonly ReservedTarget[], primary = picks[0]?.profile ?? "default"): PickResult => ({
  primary,
  targets: picks.filter(({ profile }, i) => picks.findIndex((pick) => pick.profile === profile) === i),
  picks,
});

/** A predicted latency: times to the first token and for each further one, and what objectives leave over them. */
export interface PredictedRow {
  readonly ttftMs?: number;
  readonly ttftHeadroomMs: number;
  readonly tpotHeadroomMs: number;
  /** Requests that the predictor has under way there. */
  readonly dispatched?: number;
}

/** Predictions by row; undefined = none. An objective counts as met where its headroom is not below 0. */
export function predictionOf(rows: readonly (PredictedRow | undefined)[]): LatencyPrediction {
  const column = (valueOf: (row: PredictedRow) => number) => Float64Array.from(rows, (row) => (row ? valueOf(row) : 0));
  return {
    isPredicted: Uint8Array.from(rows, (row) => (row ? 1 : 0)),
    ttftMs: column(({ ttftMs = 0 }) => ttftMs),
    tpotMs: column(() => 0),
    ttftHeadroomMs: column(({ ttftHeadroomMs }) => ttftHeadroomMs),
    tpotHeadroomMs: column(({ tpotHeadroomMs }) => tpotHeadroomMs),
    isTtftValid: Uint8Array.from(rows, (row) => (row && row.ttftHeadroomMs >= 0 ? 1 : 0)),
    isTpotValid: Uint8Array.from(rows, (row) => (row && row.tpotHeadroomMs >= 0 ? 1 : 0)),
    dispatchedRequests: column(({ dispatched = 1 }) => dispatched),
  };
}

import type { Decision } from "../core/decision.ts";
import type { ProfileRecord } from "../core/decision-record.ts";
import { KEPT } from "../core/decision-record.ts";

/** One candidate of a decision, in words and plain numbers. */
export interface CandidateView {
  /** Endpoint id: `namespace/name`. */
  readonly endpoint: string;
  /** Name of the filter that dropped it; undefined when it was scored. */
  readonly droppedBy: string | undefined;
  /** Score of each scorer, 0..1, in the order of `DecisionView.scorers`; empty when it was dropped. */
  readonly scores: readonly number[];
  /** Weighted sum. */
  readonly total: number;
}

/** A decision and its reasons as plain data: for pages and logs. No prompt and no header is in it. */
export interface DecisionView {
  readonly sequence: number;
  readonly requestId: string;
  /** Tokens of the prompt by the picker's estimate; -1 when it was not tokenised. */
  readonly inputTokens: number;
  /** Endpoint ids, best first; empty when it was refused. */
  readonly picked: readonly string[];
  /** Why it was refused. */
  readonly refusal: string | undefined;
  readonly scorers: readonly { readonly name: string; readonly weight: number }[];
  readonly candidates: readonly CandidateView[];
}

/** Turns a decision into words. To be called in the step that made it, or as long as the ring keeps its record. */
export function viewDecision(decision: Decision): DecisionView {
  const { facts, outcome, sequence } = decision;
  const record = decision.record();
  const run = record && record.primary >= 0 ? record.profiles[record.primary] : undefined;
  const scorers = run?.profile?.scorers ?? [];
  return {
    sequence,
    requestId: facts.requestId,
    inputTokens: facts.inputTokens,
    picked: outcome.kind === "picked" ? outcome.endpointIds : [],
    refusal: outcome.kind === "rejected" ? outcome.rejection.message : undefined,
    scorers: scorers.map(({ name, weight }) => ({ name, weight })),
    candidates: record && run ? record.ids.slice(0, record.rowCount).map((id, row) => viewCandidate(id, row, run)) : [],
  };
}

function viewCandidate(endpoint: string, row: number, run: ProfileRecord): CandidateView {
  const filter = run.droppedBy[row];
  const droppedBy = filter === KEPT ? undefined : run.profile?.filters[filter]?.name;
  const at = run.rows.subarray(0, run.count).indexOf(row);
  if (at < 0) return { endpoint, droppedBy, scores: [], total: 0 };
  const scores = (run.profile?.scorers ?? []).map((_, scorer) => run.raw[scorer * run.count + at]);
  return { endpoint, droppedBy, scores, total: run.totals[at] };
}

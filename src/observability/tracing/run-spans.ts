import type { Attributes, Context, HrTime, Span, Tracer } from "@opentelemetry/api";
import { trace } from "@opentelemetry/api";
import type { DecisionRecord, ProfileRecord } from "../../core/decision-record.ts";
import type { ProbePoint } from "../../core/env.ts";
import type { TimedCall } from "./run-timeline.ts";

/** Endpoints that pick_endpoints names, as stock. */
const TOP_ENDPOINTS = 5;

export interface RunSpansOptions {
  readonly tracer: Tracer;
  /** Type of a plugin of the current plan, by its name. */
  readonly typeOf: (plugin: string) => string;
  /** Time for a span of a time of the clock, in milliseconds. */
  readonly time: (ms: number) => HrTime;
}

/**
 * Tells a scheduler's run as spans under `parent`: run_scheduler_profile for each profile, in it filter_endpoints,
 * llm_d.epp.scoring with llm_d.epp.scorer.<type>, pick_endpoints (stock: scheduling/scheduler_profile.go).
 * Calls that do not fit the record belong to another run: nothing is told of them.
 */
export function tellRun(
  { tracer, typeOf, time }: RunSpansOptions,
  parent: Context,
  calls: readonly TimedCall[],
  record: DecisionRecord,
  request: Attributes,
): void {
  let at = 0;
  for (const run of record.profiles.slice(0, record.runs)) {
    while (calls[at]?.point === "ProfilePicker") at++;
    const part = partOf(run, calls, at);
    if (!part) return;
    at += part.filters.length + part.scorers.length + (part.picker ? 1 : 0);
    const parts = [...part.filters, ...part.scorers, ...(part.picker ? [part.picker] : [])];
    if (parts.length === 0) continue;
    const tell = (name: string, within: readonly TimedCall[], context: Context, attributes: Attributes): Context => {
      const span: Span = tracer.startSpan(name, { startTime: time(within[0].beginMs), attributes }, context);
      span.end(time(within.at(-1)!.endMs));
      return trace.setSpan(context, span);
    };
    const profile = tell("run_scheduler_profile", parts, parent, {
      "llm_d.epp.scheduling.profile.name": run.profile!.name,
    });
    const first = { ...parts[0], endMs: parts[0].beginMs };
    tell("filter_endpoints", part.filters.length > 0 ? part.filters : [first], profile, {
      "llm_d.epp.filter.candidate_endpoints": record.rowCount,
    });
    if (part.scorers.length > 0) {
      const scoring = tell("llm_d.epp.scoring", part.scorers, profile, {
        "llm_d.epp.scoring.candidate_endpoints": run.count,
        "llm_d.epp.scorer.count": part.scorers.length,
      });
      for (const [s, call] of part.scorers.entries()) {
        const type = typeOf(call.plugin);
        tell(`llm_d.epp.scorer.${type}`, [call], scoring, scorerAttributes(run, s, type));
      }
    }
    if (part.picker) tell("pick_endpoints", [part.picker], profile, { ...pickerAttributes(run, record), ...request });
  }
}

/** A profile's own calls from `at` on; undefined when they are not there. */
function partOf(run: ProfileRecord, calls: readonly TimedCall[], at: number) {
  const { filters, scorers, picker } = run.profile!;
  const taken = (point: ProbePoint, names: readonly string[], from: number): readonly TimedCall[] => {
    let count = 0;
    while (count < names.length && calls[from + count]?.point === point && calls[from + count].plugin === names[count])
      count++;
    return calls.slice(from, from + count);
  };
  const filtered = taken("Filter", namesOf(filters), at);
  if (run.rejection) return { filters: filtered, scorers: [], picker: undefined };
  const scored = taken("Scorer", namesOf(scorers), at + filtered.length);
  const [picked] = taken("Picker", [picker.name], at + filtered.length + scored.length);
  if (!picked || filtered.length < filters.length || scored.length < scorers.length) return undefined;
  return { filters: filtered, scorers: scored, picker: picked };
}

const namesOf = (plugins: readonly { readonly name: string }[]): readonly string[] => plugins.map(({ name }) => name);

function scorerAttributes(run: ProfileRecord, scorer: number, type: string): Attributes {
  const raw = run.raw.subarray(scorer * run.count, (scorer + 1) * run.count);
  return {
    "llm_d.epp.scorer.type": type,
    "llm_d.epp.scorer.weight": run.profile!.scorers[scorer].weight,
    "llm_d.epp.scorer.candidate_endpoints": run.count,
    ...(run.count > 0 && { "llm_d.epp.scorer.score.max": Math.max(...raw) }),
  };
}

function pickerAttributes(run: ProfileRecord, { ids }: DecisionRecord): Attributes {
  const best = Array.from({ length: run.count }, (_, i) => i)
    .toSorted((a, b) => run.totals[b] - run.totals[a])
    .slice(0, TOP_ENDPOINTS);
  return {
    "llm_d.epp.picker.candidate_endpoints": run.count,
    "llm_d.epp.picker.top_endpoints": best.map((i) => ids[run.rows[i]]),
    "llm_d.epp.picker.top_scores": best.map((i) => run.totals[i]),
  };
}

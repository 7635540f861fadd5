import type { Candidates } from "./candidates.ts";
import type { DecisionRecord, ProfileRecord } from "./decision-record.ts";
import type { Endpoints } from "./endpoints.ts";
import type { Env, ProbePoint } from "./env.ts";
import type { Plan, Profile } from "./plan.ts";
import type { PluginRequest, PrimaryResult, ProfileResult } from "./plugin.ts";
import type { Rejection } from "./rejection.ts";
import { FILTERED_OUT } from "./rejection.ts";

/** Most rounds in which a profile handler may ask for profiles; more is a broken handler. */
const ROUNDS_MAX = 16;

/** What scheduling came to: the results by profile index, and the handler's word. */
export interface Scheduled {
  readonly results: readonly (ProfileResult | undefined)[];
  readonly primary: PrimaryResult | Rejection;
}

/**
 * Runs the profiles that the handler asks for, until it asks for none, and lets it name the primary one
 * (stock: scheduling/scheduler.go). Reasons go into `record`.
 */
export function schedule(
  plan: Plan,
  request: PluginRequest,
  endpoints: Endpoints,
  record: DecisionRecord,
  env: Env,
): Scheduled {
  const results = Array.from<ProfileResult | undefined>({ length: plan.profiles.length });
  const runOf = new Int32Array(plan.profiles.length).fill(-1);
  const { handler } = plan;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const wanted = probed(env, "ProfilePicker", handler.name, () =>
      handler.plugin.nextProfiles(request, plan.profiles, results),
    );
    if (wanted.length === 0) break;
    for (const index of wanted) {
      const profile = plan.profiles[index];
      if (!profile)
        throw new Error(`Cannot run profile ${index} for ${handler.name}: there are ${plan.profiles.length}`);
      runOf[index] = record.runs;
      results[index] = runProfile(profile, request, endpoints, record.run(), env);
    }
  }
  const primary = probed(env, "ProcessProfilesResults", handler.name, () =>
    handler.plugin.finish(request, plan.profiles, results),
  );
  if ("primary" in primary) {
    record.primary = runOf[primary.primary] ?? -1;
    record.hidesScores = primary.hidesScores === true;
  }
  return { results, primary };
}

function runProfile(
  profile: Profile,
  request: PluginRequest,
  endpoints: Endpoints,
  record: ProfileRecord,
  env: Env,
): ProfileResult {
  record.begin(profile, request.table.count);
  const candidates = request.table.present(endpoints);
  filter(profile, request, candidates, record, env);
  if (candidates.count === 0) {
    record.rejection = FILTERED_OUT;
    return { ok: false, rejection: FILTERED_OUT };
  }
  record.scored(candidates);
  score(profile, request, candidates, record, env);
  const { name, plugin } = profile.picker;
  const pickCount = probed(env, "Picker", name, () =>
    plugin.pick(request, candidates, record.totals, record.picks, record.draws),
  );
  checkPlaces(name, record.picks, pickCount, candidates.count);
  record.pickCount = pickCount;
  const rows: number[] = [];
  const slots: number[] = [];
  for (let i = 0; i < pickCount; i++) {
    rows.push(candidates.rows[record.picks[i]]);
    slots.push(candidates.slots[record.picks[i]]);
  }
  return { ok: true, rows, slots };
}

function filter(
  profile: Profile,
  request: PluginRequest,
  candidates: Candidates,
  record: ProfileRecord,
  env: Env,
): void {
  for (let f = 0; f < profile.filters.length && candidates.count > 0; f++) {
    const { plugin, name } = profile.filters[f];
    const keep = scratchPlaces(candidates.count);
    const kept = probed(env, "Filter", name, () => plugin.filter(request, candidates, keep));
    checkPlaces(name, keep, kept, candidates.count);
    for (let i = 0; i < candidates.count; i++) record.droppedBy[candidates.rows[i]] = f;
    candidates.keep(keep, kept);
    for (let i = 0; i < candidates.count; i++) record.droppedBy[candidates.rows[i]] = -1;
  }
}

/** Sum over scorers of clamp(score, 0, 1) * weight; NaN passes through, as stock. */
function score(
  profile: Profile,
  request: PluginRequest,
  candidates: Candidates,
  record: ProfileRecord,
  env: Env,
): void {
  const { count } = candidates;
  for (let s = 0; s < profile.scorers.length; s++) {
    const { plugin, name, weight } = profile.scorers[s];
    const out = record.raw.subarray(s * count, (s + 1) * count);
    probed(env, "Scorer", name, () => plugin.score(request, candidates, out));
    for (let i = 0; i < count; i++) {
      if (out[i] < 0) out[i] = 0;
      else if (out[i] > 1) out[i] = 1;
      record.totals[i] += out[i] * weight;
    }
  }
}

/** A broken plugin must not send a request to a place that is none. */
function checkPlaces(plugin: string, places: Int32Array, chosen: number, count: number): void {
  let good = chosen >= 0 && chosen <= count;
  for (let i = 0; good && i < chosen; i++) good = places[i] >= 0 && places[i] < count;
  if (!good) throw new Error(`Cannot use the choice of ${plugin}: found places that are not among the ${count}`);
}

let places = new Int32Array(64);

function scratchPlaces(count: number): Int32Array {
  if (places.length < count) places = new Int32Array(count * 2);
  // What a filter forgets to write may not depend on what was before.
  return places.fill(0, 0, count);
}

function probed<T>(env: Env, point: ProbePoint, name: string, call: () => T): T {
  if (!env.probe) return call();
  env.probe(point, name, "begin");
  const result = call();
  env.probe(point, name, "end");
  return result;
}

import { describe, expect, it } from "vitest";
import { DecisionRecord, KEPT } from "./decision-record.ts";
import { CandidateTable } from "./candidates.ts";
import { Endpoints } from "./endpoints.ts";
import type { Plan } from "./plan.ts";
import type { PluginInstance } from "./plugin.ts";
import { FILTERED_OUT } from "./rejection.ts";
import { RequestState } from "./request-state.ts";
import { schedule } from "./scheduler.ts";
import { endpoint, facts } from "./test-support/test-plan.ts";

interface ProfileParts {
  readonly filters?: readonly PluginInstance["filter"][];
  readonly scorers?: readonly (readonly [number, PluginInstance["score"]])[];
}

/** Keeps the candidates of these slots. */
const keeping =
  (...kept: number[]): PluginInstance["filter"] =>
  (_request, { count, slots }, keep) => {
    let at = 0;
    for (let i = 0; i < count; i++) if (kept.includes(slots[i])) keep[at++] = i;
    return at;
  };
const scoring =
  (...scores: number[]): PluginInstance["score"] =>
  (_request, { count, slots }, out) => {
    for (let i = 0; i < count; i++) out[i] = scores[slots[i]];
  };
const greatest: PluginInstance["pick"] = (_request, { count }, totals, picks) => {
  picks[0] = 0;
  for (let i = 1; i < count; i++) if (totals[i] > totals[picks[0]]) picks[0] = i;
  return 1;
};

/** Schedules one request over pods 0 to 3 by profiles and a handler. */
function run(parts: readonly ProfileParts[], handler: PluginInstance, record = new DecisionRecord()) {
  const endpoints = new Endpoints();
  for (let i = 0; i < 4; i++) endpoints.add(endpoint(`pod-${i}`));
  const named = (name: string, plugin: PluginInstance) => ({ name, type: "test", plugin });
  const plan = {
    profiles: parts.map(({ filters = [], scorers = [] }, at) => ({
      name: `profile-${at}`,
      filters: filters.map((filter, i) => named(`filter-${i}`, { filter: filter! })),
      scorers: scorers.map(([weight, score], i) => ({ ...named(`scorer-${i}`, { score: score! }), weight })),
      picker: named("picker", { pick: greatest! }),
    })),
    handler: named("handler", handler),
  } as unknown as Plan;
  const request = new RequestState(facts(0), plan, 0);
  request.table = new CandidateTable(endpoints.slots(), endpoints);
  record.begin(0, request.table, endpoints, 0);
  const scheduled = schedule(plan, request, endpoints, record, { seed: 1, emit: () => undefined });
  return { ...scheduled, record, runs: record.profiles.slice(0, record.runs) };
}

/** Runs all profiles in one round; the given one is the primary. */
const all = (primary = 0): PluginInstance => ({
  nextProfiles: (_request, profiles, results) => (results.some(Boolean) ? [] : profiles.map((_, at) => at)),
  finish: () => ({ primary }),
});

describe("schedule", () => {
  it("filters in order, and tells of each candidate which filter dropped it", () => {
    const { runs, results } = run(
      [{ filters: [keeping(3, 2, 0), keeping(2, 3)], scorers: [[1, scoring(0, 0, 0, 1)]] }],
      all(),
    );
    expect([...runs[0].droppedBy.subarray(0, 4)]).toEqual([1, 0, KEPT, KEPT]);
    expect([...runs[0].rows.subarray(0, runs[0].count)]).toEqual([2, 3]);
    expect(results[0]).toEqual({ ok: true, rows: [3], slots: [3] });
  });

  it("keeps the order that a filter wants", () => {
    const backwards: PluginInstance["filter"] = (_request, { count }, keep) => {
      for (let i = 0; i < count; i++) keep[i] = count - 1 - i;
      return count;
    };
    const { runs } = run([{ filters: [keeping(0, 2, 3), backwards] }], all());
    expect([...runs[0].rows.subarray(0, 3)]).toEqual([3, 2, 0]);
  });

  it("stops at a filter that leaves none: later ones are not asked, nobody scores", () => {
    const never = (): never => {
      throw new Error("must not be called");
    };
    const { runs, results } = run([{ filters: [keeping(), never], scorers: [[1, never]] }], all());
    const rejection = expect.objectContaining({ message: "no endpoints available for the given request" }) as unknown;
    expect(results[0]).toEqual({ ok: false, rejection });
    expect([runs[0].rejection, runs[0].count, runs[0].pickCount]).toEqual([rejection, 0, 0]);
    expect([...runs[0].droppedBy.subarray(0, 4)]).toEqual([0, 0, 0, 0]);
  });

  it("adds up scores, each between 0 and 1, by their weights; what is no number spoils its own total alone", () => {
    const scorers = [
      [2, scoring(-5, 0.5, 9, 1)],
      [3, scoring(1, 1, 0, Number.NaN)],
    ] as const;
    const { runs } = run([{ scorers }], all());
    expect([...runs[0].raw.subarray(0, 8)]).toEqual([0, 0.5, 1, 1, 1, 1, 0, Number.NaN]);
    expect([...runs[0].totals.subarray(0, 4)]).toEqual([3, 4, 2, Number.NaN]);
  });

  it("asks the handler for profiles until it wants none, and records each run", () => {
    const rounds: string[] = [];
    const handler: PluginInstance = {
      nextProfiles(_request, _profiles, results) {
        rounds.push(results.map((result) => (result ? "x" : "-")).join(""));
        return [[2], [0], [], [1]][rounds.length - 1];
      },
      finish: () => ({ primary: 0, hidesScores: true }),
    };
    const { record, runs, results } = run([{}, {}, {}], handler);
    expect(rounds).toEqual(["---", "--x", "x-x"]);
    expect(runs.map(({ profile }) => profile!.name)).toEqual(["profile-2", "profile-0"]);
    expect(results[1]).toBeUndefined();
    expect([record.primary, record.hidesScores]).toEqual([1, true]);
  });

  it("asks a handler that never has enough 16 times", () => {
    const { record } = run([{}], { nextProfiles: () => [0], finish: () => ({ primary: 0 }) });
    expect(record.runs).toBe(16);
    // Its last run is the one that counts.
    expect(record.primary).toBe(15);
  });

  it("leaves nothing of an older decision in a record that is used again", () => {
    const record = new DecisionRecord();
    const first = run([{ filters: [keeping(1)], scorers: [[1, scoring(0, 1, 0, 0)]] }], all(), record);
    // As a picker and a handler may leave it.
    first.runs[0].draws.fill(0.5);
    first.runs[0].rejection = FILTERED_OUT;
    record.hidesScores = true;
    const rejection = { code: "Internal", message: "no" } as const;
    const again = run([{}], { ...all(), finish: () => rejection }, record);
    expect(again.primary).toBe(rejection);
    expect([record.primary, record.hidesScores, record.runs]).toEqual([-1, false, 1]);
    const [only] = again.runs;
    expect([...only.droppedBy.subarray(0, 4)]).toEqual([KEPT, KEPT, KEPT, KEPT]);
    expect([...only.totals.subarray(0, 4)]).toEqual([0, 0, 0, 0]);
    expect([...only.draws.subarray(0, 4)]).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN]);
    expect(only.rejection).toBeUndefined();
  });
});

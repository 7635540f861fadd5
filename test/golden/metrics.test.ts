import { describe, expect, it } from "vitest";
import type { AnswerMessage, Recording } from "./cases.ts";
import { compareAnswers } from "./compare.ts";
import { FAMILIES, playableOf } from "./families.ts";
import { samplesOf } from "./metrics-page.ts";
import { play } from "./player.ts";

const TOLERANCE = 1e-6;

const recordings = FAMILIES.flatMap((family) => playableOf(family).playable).filter(
  ({ case: { metricsToo } }) => metricsToo,
);

/** Series that differ from the recorded ones; after another draw those that name an endpoint are left out. */
async function differences({ case: testCase, answers }: Recording): Promise<readonly string[]> {
  const { answers: got, metrics, scrapes } = play(testCase, "stock");
  const { undecided } = compareAnswers(testCase, answers, got);
  if (undecided) return [];
  const picks = (streams: typeof got.streams) =>
    JSON.stringify(Object.values(streams).map(({ messages }) => messages.map(destinationOf)));
  const samePicks = picks(answers.streams) === picks(got.streams);
  const counts = (series: string) => samePicks || !/(pod|endpoint)_name=/.test(series);
  const pages = [[answers.metrics, await metrics.metrics()] as const];
  for (const [name, recorded] of Object.entries(answers.scrapes ?? {}))
    pages.push([recorded, await scrapes.get(name)!]);
  return pages.flatMap(([recorded = {}, page]) => {
    const told = samplesOf(page);
    const all = [...new Set([...Object.keys(recorded), ...told.keys()])].filter(counts);
    return all.flatMap((series) => {
      const [want, have] = [recorded[series], told.get(series)];
      if (want !== undefined && have !== undefined && Math.abs(want - have) <= TOLERANCE) return [];
      return [`${series}: recorded ${want}, told ${have}`];
    });
  });
}

const destinationOf = ({ set_headers = [] }: AnswerMessage) =>
  set_headers.find(([key]) => key === "x-gateway-destination-endpoint")?.[1];

describe("recorded metrics", () => {
  it.each(recordings.map((recording) => [recording.case.id, recording] as const))(
    "of %s are ours too",
    async (_id, recording) => {
      expect(await differences(recording)).toEqual([]);
    },
  );

  it("are those of a hundred cases, with errors, streams, decisions of disaggregation and refusals among them", () => {
    const series = new Set(recordings.flatMap(({ answers }) => Object.keys(answers.metrics ?? {})));
    expect(recordings.length).toBeGreaterThan(100);
    for (const name of [
      "request_error_total",
      "streaming_itl_seconds_count",
      "disagg_decision_total",
      "pd_decision_total",
    ]) {
      expect([...series].some((text) => text.startsWith(`llm_d_epp_${name}{`) || text.includes(`_${name}{`))).toBe(
        true,
      );
    }
  });
});

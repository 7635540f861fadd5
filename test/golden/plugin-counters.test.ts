import { describe, expect, it } from "vitest";
import { readFamily } from "./cases.ts";
import { play } from "./player.ts";

const FAMILIES = ["disagg", "kserve"];
/** Families that plugins count in; the recordings tell them with their labels in alphabetic order. */
const COUNTED = /^llm_d_(?:epp|inference_scheduler)_(?:disagg|pd)_decision_total\{/;

const recordings = FAMILIES.flatMap(readFamily).filter(({ case: { metricsToo } }) => metricsToo);

describe("recorded counters of plugins", () => {
  it.each(recordings.map((recording) => [recording.case.id, recording] as const))("%s", async (_id, recording) => {
    const page = await play(recording.case, "stock").counters.metrics();
    const got = page.split("\n").filter((line) => COUNTED.test(line));
    const recorded = Object.entries(recording.answers.metrics ?? {}).filter(([series]) => COUNTED.test(series));
    expect(got.map(withSortedLabels).toSorted()).toEqual(
      recorded.map(([series, value]) => `${series} ${value}`).toSorted(),
    );
  });

  it("are there for both names, and for requests that were refused afterwards", () => {
    const series = recordings.flatMap(({ answers }) => Object.keys(answers.metrics ?? {}));
    for (const name of ["llm_d_epp_disagg", "llm_d_inference_scheduler_disagg", "llm_d_epp_pd"]) {
      expect(series.some((text) => text.startsWith(`${name}_decision_total{`))).toBe(true);
    }
    expect(recordings.some(({ answers }) => JSON.stringify(answers.streams).includes('"code":412'))).toBe(true);
  });
});

function withSortedLabels(line: string): string {
  const [, name, labels, value] = /^(\w+)\{(.*)\} (.*)$/.exec(line)!;
  return `${name}{${labels.split(",").toSorted().join(",")}} ${value}`;
}

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { type CoreMetricsExtractorParams, createCoreMetricsExtractor } from "./core-metrics-extractor.ts";
import type { PageExtractor, Signals } from "./page-extractor.ts";

type Page = string | { readonly status: number; readonly text: string };
type Pages = Readonly<Record<string, Page>>;
interface Case {
  readonly id: string;
  readonly config: string;
  readonly endpoints: readonly { address: string; port: string; labels?: Record<string, string> }[];
  readonly metrics: Pages;
  readonly steps: readonly { send?: string; message?: { request_body?: { body: string } }; metrics?: Pages }[];
}
interface Recorded {
  readonly case: Case;
  readonly answers: {
    readonly streams: Readonly<Record<string, { messages: readonly { dynamic_metadata?: Record<string, Scores> }[] }>>;
  };
}
type Scores = Readonly<Record<string, Readonly<Record<string, number>>>>;
interface State {
  waiting: number;
  running: number;
  kvUsage: number;
  lora: { active: readonly string[]; waiting: readonly string[]; max: number };
}

const recorded = gunzipSync(readFileSync("test/golden/data/engines.jsonl.gz"))
  .toString("utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as Recorded);

/** What the stock picker keeps of a scrape. */
function apply(state: State, { lora, ...row }: Signals): void {
  Object.assign(state, row);
  if (lora) state.lora = { ...lora, max: lora.max < 0 ? state.lora.max : lora.max };
}

/** Scores of queue-scorer 1, running-requests-size-scorer 10, kv-cache-utilization-scorer 100, lora-affinity-scorer 1000. */
function scores(states: readonly State[], model: string): number[] {
  const shortest = (values: number[]) => {
    const [min, max] = [Math.min(...values), Math.max(...values)];
    return values.map((value) => (max === min ? 1 : (max - value) / (max - min)));
  };
  const clamp = (value: number) => Math.min(Math.max(value, 0), 1);
  const queue = shortest(states.map(({ waiting }) => waiting));
  const running = shortest(states.map(({ running }) => running));
  return states.map(({ kvUsage, lora: { active, waiting, max } }, k) => {
    const loraScore = active.includes(model)
      ? 1
      : active.length + waiting.length < max
        ? 0.8
        : waiting.includes(model)
          ? 0.6
          : 0;
    return queue[k] + 10 * running[k] + 100 * clamp(1 - kvUsage) + 1000 * loraScore;
  });
}

/** Plays a case's pages through the extractor; yields what the recording says and what comes out, for each request. */
function* play(
  { case: { config, endpoints, metrics, steps }, answers }: Recorded,
  make: (params: CoreMetricsExtractorParams) => PageExtractor,
) {
  const { plugins } = parse(config) as { plugins: { type: string; parameters?: CoreMetricsExtractorParams }[] };
  const extractor = make(plugins.find(({ type }) => type === "core-metrics-extractor")?.parameters ?? {});
  const states = endpoints.map((): State => ({
    waiting: 0,
    running: 0,
    kvUsage: 0,
    lora: { active: [], waiting: [], max: 0 },
  }));
  const scrape = (pages: Pages) =>
    endpoints.forEach(({ address, port, labels }, k) => {
      const page = pages[`${address}:${port}`];
      if (typeof page !== "string") return;
      const result = extractor.extract(new TextEncoder().encode(page), { name: "", labels: labels ?? {} });
      if ("row" in result && result.row) apply(states[k], result.row);
    });
  scrape(metrics);
  for (const { send, message, metrics: changed } of steps) {
    if (changed) scrape(changed);
    if (send === undefined || !message?.request_body) continue;
    const { model } = JSON.parse(message.request_body.body) as { model: string };
    const told = answers.streams[send].messages.find((answer) => answer.dynamic_metadata)!.dynamic_metadata![
      "envoy.lb"
    ];
    const want = told["x-gateway-destination-endpoint-scores"];
    const got = scores(states, model);
    yield {
      send,
      want,
      got: Object.fromEntries(endpoints.map(({ address, port }, k) => [`${address}:${port}`, got[k]])),
    };
  }
}

const differs = (want: Readonly<Record<string, number>>, got: Readonly<Record<string, number>>) =>
  Object.keys(want).filter((endpoint) => !(Math.abs(want[endpoint] - got[endpoint]) <= 1e-9));

describe("core-metrics-extractor, beside the recorded scores of the stock picker", () => {
  it.each(recorded.map((one) => [one.case.id, one] as const))("%s: every score is the recorded one", (_, one) => {
    let requests = 0;
    for (const { send, want, got } of play(one, (params) =>
      createCoreMetricsExtractor({ ...params, readsOldKvUsage: false }),
    )) {
      requests++;
      expect(Object.keys(got).sort()).toEqual(Object.keys(want).sort());
      expect([send, differs(want, got)]).toEqual([send, []]);
    }
    expect(requests).toBeGreaterThan(0);
  });

  it("reading vLLM's older KV name changes scores only in cases whose pages have it", () => {
    const changed = recorded.filter((one) =>
      [...play(one, (params) => createCoreMetricsExtractor(params))].some(
        ({ want, got }) => differs(want, got).length > 0,
      ),
    );
    expect(changed.length).toBeGreaterThan(0);
    for (const one of changed) expect(JSON.stringify(one.case)).toContain("vllm:gpu_cache_usage_perc");
  });
});

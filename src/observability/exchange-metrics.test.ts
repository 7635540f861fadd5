import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import type { Decision } from "../core/decision.ts";
import { facts } from "../core/test-support/test-plan.ts";
import type { ExchangeMeter } from "../protocol/exchange-meter.ts";
import { createExchangeMetrics } from "./exchange-metrics.ts";

const decision = (model = "m", stream = false): Decision => ({
  facts: facts(0, { model, stream }),
  sequence: 0,
  atUs: 0,
  outcome: { kind: "picked", targets: ["10.0.0.1:8000"], endpointIds: ["default/a"], slots: [0] },
  targetModel: model,
  priority: 0,
  fairnessId: "default-flow",
  headers: new Map(),
  scores: () => undefined,
  record: () => undefined,
});

const NAMES = 'fairness_id="default-flow",model_name="m",priority="0",target_model_name="m"';
const streamed = (streaming: boolean): string =>
  `fairness_id="default-flow",model_name="m",priority="0",streaming="${streaming}",target_model_name="m"`;

function setUp() {
  const registry = new Registry();
  let now = 0;
  const exchanges = createExchangeMetrics(registry, () => now);
  /** Plays an exchange: methods of the meter in order, each after a time in seconds. */
  const play = (...steps: readonly (readonly [seconds: number, step: (meter: ExchangeMeter) => void])[]): void => {
    const meter = exchanges.open();
    for (const [seconds, step] of steps) {
      now += seconds;
      step(meter);
    }
  };
  /** Counts and sums of the page, without buckets. */
  const page = async () => {
    const lines = (await registry.metrics()).split("\n").filter((line) => line && !line.startsWith("#"));
    return Object.fromEntries(
      lines.filter((line) => !line.includes("_bucket{")).map((line) => line.split(/ (?=\S+$)/) as [string, string]),
    );
  };
  return { play, page };
}

describe("metrics of exchanges", () => {
  it("tell sizes, times and tokens of a whole answer under both names", async () => {
    const { play, page } = setUp();
    play(
      [0, (m) => m.requestComplete()],
      [0.5, (m) => m.routed(decision(), 100)],
      [1, (m) => m.responseHeaders(false, 200)],
      [1, (m) => m.responseBody(40)],
      [0.25, (m) => m.responseHandled()],
      [1, (m) => m.responseComplete({ promptTokens: 7, completionTokens: 5, cachedTokens: 0 })],
      [0, (m) => m.closed()],
    );
    expect(await page()).toMatchObject({
      [`llm_d_epp_request_total{${NAMES}}`]: "1",
      'inference_objective_request_total{model_name="m",priority="0",target_model_name="m"}': "1",
      [`llm_d_epp_request_size_bytes_sum{${NAMES}}`]: "100",
      [`llm_d_epp_response_size_bytes_sum{${NAMES}}`]: "40",
      [`llm_d_epp_request_duration_seconds_sum{${NAMES}}`]: "3.75",
      'inference_objective_request_duration_seconds_sum{model_name="m",target_model_name="m"}': "3.75",
      [`llm_d_epp_request_ttft_seconds_sum{${streamed(false)}}`]: "2.5",
      [`llm_d_epp_request_ntpot_seconds_sum{${NAMES}}`]: "0.75",
      [`llm_d_epp_request_cached_tokens_count{${NAMES}}`]: "1",
      [`llm_d_epp_request_running{${NAMES}}`]: "0",
      llm_d_epp_request_processing_duration_seconds_sum: "0.5",
      llm_d_epp_response_processing_duration_seconds_sum: "1.25",
    });
  });

  it("tell the time between pieces and for each token of a streamed one", async () => {
    const { play, page } = setUp();
    play(
      [0, (m) => m.routed(decision("m", true), 1)],
      [1, (m) => m.responseHeaders(true, 200)],
      [1, (m) => m.responseBody(10)],
      [0, (m) => m.responseHandled()],
      [3, (m) => m.responseBody(10)],
      [1, (m) => m.responseBody(10)],
      [1, (m) => m.responseBody(0)],
      [0, (m) => m.responseComplete({ promptTokens: 7, completionTokens: 5, cachedTokens: -1 })],
    );
    expect(await page()).toMatchObject({
      [`llm_d_epp_request_streaming_itl_seconds_count{${NAMES}}`]: "2",
      [`llm_d_epp_request_streaming_itl_seconds_sum{${NAMES}}`]: "4",
      [`llm_d_epp_request_streaming_tpot_seconds_sum{${NAMES}}`]: "1.25",
      [`llm_d_epp_request_ttft_seconds_sum{${streamed(true)}}`]: "2",
    });
    expect(Object.keys(await page()).filter((name) => name.includes("cached"))).toEqual([]);
  });

  it("count running requests until their stream ends, whatever ended it, and none without a model", async () => {
    const { play, page } = setUp();
    play([0, (m) => m.routed(decision(), 1)]);
    play([0, (m) => m.routed(decision(), 1)], [1, (m) => m.closed()], [0, (m) => m.closed()]);
    play([0, (m) => m.routed(decision(""), 1)]);
    const running = Object.entries(await page()).filter(([name]) => name.includes("running"));
    expect(running).toEqual([
      [`llm_d_epp_request_running{${NAMES}}`, "1"],
      ['inference_objective_running_requests{model_name="m"}', "1"],
    ]);
  });

  it("tell of errors by their code, and nothing of a response that did not end", async () => {
    const { play, page } = setUp();
    const request = { model: "", targetModel: "other", fairnessId: "f", priority: 0 };
    play([0, (m) => m.requestComplete()], [0, (m) => m.refused("BadRequest", request)], [0, (m) => m.closed()]);
    play([0, (m) => m.routed(decision(), 1)], [0, (m) => m.modelServerError()], [0, (m) => m.responseBody(5)]);
    const told = await page();
    expect(told).toMatchObject({
      'llm_d_epp_request_error_total{error_code="BadRequest",fairness_id="f",model_name="",priority="0",target_model_name="other"}':
        "1",
      'inference_objective_request_error_total{error_code="BadRequest",model_name="",target_model_name="other"}': "1",
      [`llm_d_epp_request_error_total{error_code="ModelServerError",${NAMES}}`]: "1",
    });
    expect(Object.keys(told).filter((name) => /response_size|ttft|request_duration/.test(name))).toEqual([]);
  });

  it("count answers by their HTTP status, which Envoy tells, where it is one", async () => {
    const { play, page } = setUp();
    play([0, (m) => m.routed(decision(), 1)], [0, (m) => m.responseHeaders(false, 503)]);
    play([0, (m) => m.routed(decision(), 1)], [0, (m) => m.responseHeaders(false, 0)]);
    const answers = Object.entries(await page()).filter(([name]) => name.startsWith("warmpath_responses_total"));
    expect(answers).toEqual([['warmpath_responses_total{code="503",model_name="m",target_model_name="m"}', "1"]]);
  });

  it("hold no name that is longer than a name is, and at most 1000 of a kind", async () => {
    const { play, page } = setUp();
    play([0, (m) => m.routed(decision("x".repeat(1000)), 1)]);
    for (let i = 0; i < 1005; i++) play([0, (m) => m.routed(decision(`m${i}`), 1)]);
    const totals = Object.keys(await page()).filter((name) => name.startsWith("llm_d_epp_request_total"));
    expect(totals).toHaveLength(1001);
    expect(totals[0]).toContain('model_name="other"');
  });
});

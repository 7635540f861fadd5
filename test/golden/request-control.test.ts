import { describe, expect, it } from "vitest";
import type { AnswerMessage, Case, CaseEndpoint, CaseMessage, Step } from "./cases.ts";
import { play } from "./player.ts";

const ENDPOINTS: readonly CaseEndpoint[] = [1, 2, 3].map((i) => ({
  name: `pod-${i}`,
  address: `127.0.0.${i + 1}`,
  port: "8000",
}));

const PATH = [
  [":method", "POST"],
  [":path", "/v1/completions"],
] as const;
const requestHeaders = (...more: readonly (readonly [string, string])[]): CaseMessage => ({
  request_headers: { headers: [...PATH, ...more] },
});
const REQUEST_BODY: CaseMessage = { request_body: { body: '{"model":"m","prompt":"x"}', end_of_stream: true } };
const OK: CaseMessage = {
  response_headers: {
    headers: [
      [":status", "200"],
      ["content-type", "application/json"],
    ],
  },
};
const bodyOf = (body: string, end = true): CaseMessage => ({ response_body: { body, end_of_stream: end } });
const USAGE = '{"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}';

/** What comes back when these messages are sent on one stream, as bytes through the codec and back. */
function answers(config: string, messages: readonly CaseMessage[], more: Partial<Case> = {}): AnswerMessage[] {
  const steps: Step[] = messages.map((message) => ({ send: "r", message }));
  const head = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n";
  const own = { id: "own", family: "own", config: head + config, endpoints: ENDPOINTS, steps, ...more };
  const played = play(own, "stock");
  expect(played.requestsLeft).toBe(0);
  return [...played.answers.streams["r"].messages];
}

const ofType = (messages: readonly AnswerMessage[], type: string) => messages.filter((m) => m.type === type);
const header = (message: AnswerMessage | undefined, name: string) =>
  message?.set_headers?.find(([key]) => key === name)?.[1];
const destinationOf = (messages: readonly AnswerMessage[]) =>
  header(ofType(messages, "request_headers")[0], "x-gateway-destination-endpoint");

const reporter = (expression: string, condition = "") => `
plugins:
  - type: request-attribute-reporter
    parameters:
      attributes:
        - key: {name: x-gateway-inference-request-cost}
          expression: ${expression}
          condition: "${condition}"
  - type: queue-scorer
`;
const COST = { "envoy.lb": { "x-gateway-inference-request-cost": 18 } };

describe("request-attribute-reporter over ext_proc", () => {
  const whole = [requestHeaders(), REQUEST_BODY, OK, bodyOf(USAGE)];
  const SUM = "usage.prompt_tokens + usage.completion_tokens";

  it("tells the value with the last message of the body, as a number in a struct", () => {
    const bodies = ofType(answers(reporter(SUM, "has(usage.prompt_tokens)"), whole), "response_body");
    expect(bodies.map(({ dynamic_metadata: metadata }) => metadata)).toEqual([COST]);
    expect(bodies[0]).toMatchObject({ end_of_stream: true, body: { utf8: USAGE } });
  });

  it("tells it with the last of many chunks alone", () => {
    const event = `data: {"choices":[],"usage":${USAGE.slice(9, -1)}}\n\n`;
    const stream: CaseMessage = {
      response_headers: {
        headers: [
          [":status", "200"],
          ["content-type", "text/event-stream"],
        ],
      },
    };
    const messages = [
      requestHeaders(),
      REQUEST_BODY,
      stream,
      bodyOf("data: {}\n\n", false),
      bodyOf(event, false),
      bodyOf("data: [DONE]\n\n"),
    ];
    const bodies = ofType(answers(reporter(SUM), messages), "response_body");
    expect(bodies.map(({ dynamic_metadata: metadata }) => metadata)).toEqual([undefined, undefined, COST]);
  });

  const silent: readonly (readonly [string, string, readonly CaseMessage[]])[] = [
    ["its condition does not hold", reporter(SUM, "usage.prompt_tokens > 100"), whole],
    ["the response has no usage", reporter(SUM), [...whole.slice(0, 3), bodyOf("{}")]],
    ["its expression fails", reporter("usage.nothing"), whole],
    ["its expression divides by 0", reporter("usage.prompt_tokens / 0.0"), whole],
  ];
  it.each(silent)("loses no response and tells nothing where %s", (_, config, messages) => {
    const bodies = ofType(answers(config, messages), "response_body");
    expect(bodies).toHaveLength(1);
    expect(bodies[0]).toMatchObject({ end_of_stream: true });
    expect(bodies[0].dynamic_metadata).toBeUndefined();
  });
});

describe("destination-endpoint-served-verifier over ext_proc", () => {
  const config = "plugins: [{type: destination-endpoint-served-verifier}, {type: queue-scorer}]\n";
  const NAME = "x-conformance-test-served-endpoint";
  const served = { "x-gateway-destination-endpoint-served": "127.0.0.3:8000" };
  const table: readonly (readonly [string, CaseMessage["metadata"], string])[] = [
    ["the endpoint that served", { "envoy.lb": served }, "127.0.0.3:8000"],
    ["that it is not named", { "envoy.lb": { other: 1 } }, "fail: missing destination endpoint served metadata"],
    ["that there is no metadata", { other: served }, "fail: missing envoy lb metadata"],
    ["that there is none at all", undefined, "fail: missing envoy lb metadata"],
  ];
  it.each(table)("tells %s in a response header", (_, metadata, value) => {
    const response = metadata ? { ...OK, metadata } : OK;
    const messages = answers(config, [requestHeaders(), REQUEST_BODY, response, bodyOf("{}")]);
    expect(header(ofType(messages, "response_headers")[0], NAME)).toBe(value);
  });
});

describe("disaggregatedset-rollout-screener over ext_proc", () => {
  const config = `
plugins:
  - type: disaggregatedset-rollout-screener
    parameters:
      scope: {labelSelector: app=my-set}
      headerSelectors:
        - {name: revision, headerName: x-revision, labelKey: revision, mode: strict}
      revisionGating:
        {mode: sum, revisionLabelKey: revision, roleLabelKey: role, requireRoles: {values: [prefill, decode]}}
  - type: queue-scorer
`;
  const pods = ["prefill", "decode"].flatMap((role) =>
    ["a", "b"].map((revision) => ({ app: "my-set", role, revision })),
  );
  const endpoints = pods.map((labels, i) => ({ name: `pod-${i}`, address: `127.0.0.${i + 2}`, port: "8000", labels }));
  const ask = (...headers: readonly (readonly [string, string])[]) =>
    answers(config, [requestHeaders(...headers), REQUEST_BODY, OK, bodyOf("{}")], { endpoints });

  it.each(["a", "b"])("goes to revision %s where a header says so, and says so in the response", (revision) => {
    const messages = ask(["x-revision", revision]);
    const picked = endpoints.find(({ address, port }) => `${address}:${port}` === destinationOf(messages));
    expect(picked?.labels.revision).toBe(revision);
    expect(header(ofType(messages, "response_headers")[0], "x-revision")).toBe(revision);
  });

  it("says in the response which revision it drew", () => {
    const messages = ask();
    const picked = endpoints.find(({ address, port }) => `${address}:${port}` === destinationOf(messages));
    expect(header(ofType(messages, "response_headers")[0], "x-revision")).toBe(picked?.labels.revision);
  });

  it("answers 503 for a revision that is not there", () => {
    expect(ask(["x-revision", "c"])[0]).toMatchObject({ type: "immediate_response", code: 503 });
  });
});

describe("header-based-testing-filter over ext_proc", () => {
  const config = "plugins: [{type: header-based-testing-filter}, {type: max-score-picker}]\n";
  const ask = (...headers: readonly (readonly [string, string])[]) =>
    answers(config, [requestHeaders(...headers), REQUEST_BODY]);

  it.each(["127.0.0.3", "127.0.0.3:8000", "10.0.0.1, 127.0.0.3"])("sends the request to %s", (value) => {
    expect(destinationOf(ask(["test-epp-endpoint-selection", value]))).toBe("127.0.0.3:8000");
  });

  it("answers 429 without the header", () => {
    expect(ask()[0]).toMatchObject({ type: "immediate_response", code: 429 });
  });
});

describe("the decision tree of GIE 0.5 over ext_proc", () => {
  const config = `
plugins:
- {type: low-queue-filter, parameters: {threshold: 128}}
- {type: lora-affinity-filter, parameters: {threshold: 1}}
- type: least-queue-filter
- type: least-kv-cache-filter
- type: decision-tree-filter
  name: low-latency-filter
  parameters:
    current: {pluginRef: low-queue-filter}
    nextOnSuccess:
      decisionTree:
        current: {pluginRef: lora-affinity-filter}
        nextOnSuccessOrFailure:
          decisionTree:
            current: {pluginRef: least-queue-filter}
            nextOnSuccessOrFailure: {decisionTree: {current: {pluginRef: least-kv-cache-filter}}}
    nextOnFailure:
      decisionTree:
        current: {pluginRef: least-queue-filter}
        nextOnSuccessOrFailure:
          decisionTree:
            current: {pluginRef: lora-affinity-filter}
            nextOnSuccessOrFailure: {decisionTree: {current: {pluginRef: least-kv-cache-filter}}}
- {type: random-picker, parameters: {maxNumOfEndpoints: 1}}
- type: single-profile-handler
schedulingProfiles:
- name: default
  plugins: [{pluginRef: low-latency-filter}, {pluginRef: random-picker}]
`;
  const gauge = (series: string, value: number) => `# TYPE ${series.split("{", 1)[0]} gauge\n${series} ${value}\n`;
  const page = (waiting: number, kv: number, adapters = "") =>
    gauge("vllm:num_requests_waiting", waiting) +
    gauge("vllm:num_requests_running", 1) +
    gauge("vllm:kv_cache_usage_perc", kv) +
    gauge(`vllm:lora_requests_info{max_lora="2",running_lora_adapters="${adapters}",waiting_lora_adapters=""}`, 1);
  const table: readonly (readonly [string, readonly string[], string])[] = [
    ["the adapter before the shorter queue", [page(9, 0.9, "m"), page(0, 0), page(0, 0)], "127.0.0.2:8000"],
    ["the shorter queue of those with the adapter", [page(9, 0, "m"), page(1, 0.5, "m"), page(0, 0)], "127.0.0.3:8000"],
    ["the emptier cache of equal queues", [page(1, 0.9), page(1, 0.8), page(1, 0.1)], "127.0.0.4:8000"],
    [
      "the shorter queue before the adapter when all are full",
      [page(900, 0, "m"), page(200, 0.9), page(800, 0)],
      "127.0.0.3:8000",
    ],
  ];
  it.each(table)("picks %s", (_, pages, destination) => {
    const metrics = Object.fromEntries(ENDPOINTS.map(({ address, port }, i) => [`${address}:${port}`, pages[i]]));
    expect(destinationOf(answers(config, [requestHeaders(), REQUEST_BODY], { metrics }))).toBe(destination);
  });
});

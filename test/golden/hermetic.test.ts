import { describe, expect, it } from "vitest";
import type { AnswerMessage, CaseMessage } from "./cases.ts";
import {
  destinationOf,
  exchange,
  type ExchangeOptions,
  headerOf,
  host,
  messagesOf,
  type Pod,
  request,
} from "./exchange.ts";
import { samplesOf } from "./metrics-page.ts";

/**
 * The stock's own suite over ext_proc (`spec/epp-core.md` 11.1), row by row; its gRPC rows are in grpc.test.ts, those of
 * request-attribute-reporter in request-control.test.ts. These wait for objects of Kubernetes, which a file has not:
 * "rewrite request model (CRDs)", and of all rows the priority 2 of their objectives and the runs with CRDs.
 */
const PLUGINS = `
plugins:
- type: queue-scorer
- type: kv-cache-utilization-scorer
- type: prefix-cache-scorer
- type: lora-affinity-scorer
`;
const PROFILE = `
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: queue-scorer
  - pluginRef: kv-cache-utilization-scorer
  - pluginRef: prefix-cache-scorer
  - pluginRef: lora-affinity-scorer
`;
const CONFIG = PLUGINS + PROFILE;
const PATH = "/v1/completions";
const THREE: readonly Pod[] = [
  [3, 0.2],
  [0, 0.1],
  [10, 0.2],
];
const WIDE: readonly Pod[] = [
  [0, 0.2, "foo", "bar"],
  [0, 0.1, "foo", "sql-lora-1fdg2"],
  [10, 0.2, "foo", "bar"],
];
const FULL: readonly Pod[] = [
  [6, 0.2, "foo", "bar", "sql-lora-1fdg3"],
  [6, 0.85, "foo"],
  [10, 0.9, "foo"],
];

const body = (model: string, more: object = {}): string =>
  JSON.stringify({ model, prompt: "test1", max_tokens: 100, temperature: 0, ...more });
const on = (pods: readonly Pod[], more: Partial<ExchangeOptions> = {}): ExchangeOptions => ({
  pods,
  config: CONFIG,
  ...more,
});
const REWRITE = (model: string) => [["x-llm-d-model-name-rewrite", model]] as const;
const immediate = (message: AnswerMessage) => [message.type, message.code, (message.body as { utf8: string }).utf8];

describe("requests over ext_proc (epp-core 11.1)", () => {
  it("select lower queue and kv cache", () => {
    const played = exchange(on(THREE), request(PATH, [body("my-model")], { headers: REWRITE("my-model-12345") }));
    const rewritten = `{"max_tokens":100,"model":"my-model-12345","prompt":"test1","temperature":0}`;
    const metadata = { "envoy.lb": { "x-gateway-destination-endpoint": host(1) } };
    const [headers, ...others] = messagesOf(played);
    expect(headers).toMatchObject({ type: "request_headers", clear_route_cache: true });
    expect(headers.dynamic_metadata).toMatchObject(metadata);
    expect(headers.set_headers).toEqual([
      [":path", PATH],
      ["Content-Length", String(rewritten.length)],
      ["hi", "mom"],
      ["x-gateway-destination-endpoint", host(1)],
      ["x-request-id", "test-request-id"],
    ]);
    expect(others).toEqual([
      { after: 2, type: "request_body", body: { bytes: rewritten.length, utf8: rewritten }, end_of_stream: true },
    ]);
  });

  it.each([
    ["select active lora, low queue", WIDE, "sql-lora-1fdg2", host(1)],
    [
      "select lora despite higher kv cache",
      [
        [10, 0.2, "foo", "bar"],
        [10, 0.4, "foo", "sql-lora-1fdg2"],
        [10, 0.3, "foo"],
      ] satisfies readonly Pod[],
      "sql-lora-1fdg2",
      host(1),
    ],
    ["do not shed requests by default", FULL, "sql-lora-1fdg3", host(0)],
    ["passthrough: model not in objectives", FULL, "direct-model", host(0)],
  ] as const)("%s", (_, pods, model, picked) => {
    const played = exchange(on(pods), request(PATH, [body(model)]));
    expect(destinationOf(played)).toBe(picked);
    expect(played.bodies.get("r0")!.toString()).toBe(body(model));
  });

  it("no backend pods available", () => {
    const message: CaseMessage = {
      request_headers: { headers: [["content-type", "application/json"]], end_of_stream: true },
    };
    expect(messagesOf(exchange(on([]), [message])).map(immediate)).toEqual([
      ["immediate_response", 500, "inference error: Internal - no pods available in datastore"],
    ]);
  });

  it.each([
    ["request missing model field", '{"prompt":"hello world"}', "model not found in request body"],
    [
      "invalid json body",
      "no healthy upstream",
      "error unmarshaling request bodyMap: invalid character 'o' in literal null (expecting 'u')",
    ],
  ])("%s", (_, text, why) => {
    expect(messagesOf(exchange(on(THREE), request(PATH, [text]))).map(immediate)).toEqual([
      ["immediate_response", 400, `inference error: BadRequest - ${why}`],
    ]);
  });

  it("passthrough parser success", async () => {
    const config = `${PLUGINS}- type: passthrough-parser\n${PROFILE}parser: {pluginRef: passthrough-parser}\n`;
    const played = exchange({ pods: THREE, config }, request(PATH, ["\u0000 raw, no json {"]));
    expect(destinationOf(played)).toBe(host(1));
    expect(played.bodies.get("r0")!.toString()).toBe("\u0000 raw, no json {");
    const samples = samplesOf(await played.metrics.metrics());
    expect(samples.get('inference_objective_request_total{model_name="",priority="0",target_model_name=""}')).toBe(1);
  });

  it("split body across chunks", () => {
    const text = body("sql-lora-sheddable");
    const pieces = [text.slice(0, 40), text.slice(40)];
    const played = exchange(
      on([
        [4, 0.2, "foo", "bar", "sql-lora-1fdg3"],
        [4, 0.85, "foo"],
      ]),
      request(PATH, pieces, { headers: REWRITE("sql-lora-1fdg3") }),
    );
    expect(destinationOf(played)).toBe(host(0));
    expect(messagesOf(played).map(({ type }) => type)).toEqual(["request_headers", "request_body"]);
    expect(JSON.parse(played.bodies.get("r0")!.toString())).toEqual(JSON.parse(body("sql-lora-1fdg3")));
  });

  it.each([
    ["subsetting: select best from subset", [host(0), host(1), host(2)], host(1)],
    ["subsetting: partial match", [host(2)], host(2)],
  ])("%s", (_, subset, picked) => {
    const played = exchange(on(WIDE), request(PATH, [body("sql-lora-1fdg2")], { subset }));
    expect(destinationOf(played)).toBe(picked);
  });

  it("subsetting: no pods match", () => {
    const played = exchange(on(WIDE), request(PATH, [body("m")], { subset: ["192.168.1.99:8000"] }));
    const [only, ...others] = messagesOf(played);
    expect(others).toEqual([]);
    expect(immediate(only)).toEqual([
      "immediate_response",
      503,
      "inference error: ServiceUnavailable - failed to find endpoint candidates for serving the request",
    ]);
    expect(headerOf(only, "x-llm-d-request-dropped-reason")).toBe("rejected-no-endpoints");
  });

  it("protocol: simple GET", () => {
    const headers: CaseMessage = {
      request_headers: {
        headers: [
          [":method", "GET"],
          [":path", "/v1/models"],
        ],
        end_of_stream: true,
      },
    };
    const [only, ...others] = messagesOf(exchange(on(THREE), [headers]));
    expect(others).toEqual([]);
    expect(only.type).toBe("request_headers");
    expect([host(0), host(1), host(2)]).toContain(headerOf(only, "x-gateway-destination-endpoint"));
  });
});

describe("responses over ext_proc (epp-core 11.1)", () => {
  const head = (type: string): CaseMessage => ({ response_headers: { headers: [["content-type", type]] } });
  const piece = (text: string, end = false): CaseMessage => ({ response_body: { body: text, end_of_stream: end } });

  it.each([
    ["response buffering: multi-chunk", [piece('{"max_tokens":100,"model":"'), piece('direct-model"}', true)]],
    ["response buffering: invalid JSON", [piece("no healthy upstream", true)]],
    ["response buffering: empty EOS chunk", [piece('{"max_tokens":100,"model":"direct-model"}'), piece("", true)]],
  ])("%s", (_, pieces) => {
    const [headers, ...bodies] = messagesOf(exchange(on([]), [head("application/json"), ...pieces]));
    expect(headers.type).toBe("response_headers");
    expect(headers.set_headers).toEqual([
      ["content-type", "application/json"],
      ["x-went-into-resp-headers", "true"],
    ]);
    const whole = pieces.map((message) => message.response_body!.body as string).join("");
    expect(bodies).toMatchObject([{ type: "response_body", body: { utf8: whole }, end_of_stream: true }]);
  });

  it("response streaming: SSE", async () => {
    const events = [
      'data: {"id":"0","object":"text_completion","model":"sql-lora-1fdg2","choices":[{"text":"Hi"}],"usage":null}\n\n',
      'data: {"id":"0","object":"text_completion","model":"sql-lora-1fdg2","choices":[],"usage":{"prompt_tokens":7,"total_tokens":17,"completion_tokens":10}}\n\n',
      "data: [DONE]\n\n",
    ];
    const pieces = [...events.map((event) => piece(event)), piece("", true)];
    const played = exchange(on(THREE), [
      ...request(PATH, [body("m", { stream: true })]),
      head("text/event-stream"),
      ...pieces,
    ]);
    const bodies = messagesOf(played).filter(({ type }) => type === "response_body");
    expect(bodies).toMatchObject(
      [...events, ""].map((event, i) => ({
        body: { bytes: Buffer.byteLength(event) },
        end_of_stream: i === events.length,
      })),
    );
    const samples = samplesOf(await played.metrics.metrics());
    const tokens = 'inference_objective_input_tokens_sum{model_name="m",target_model_name="m"}';
    expect(samples.get(tokens)).toBe(7);
  });
});

describe("times of what takes part in parsing and in responses", () => {
  const config = `
plugins:
- type: queue-scorer
- type: session-affinity-scorer
- type: inflight-load-producer
- type: openai-parser
  name: reader
schedulingProfiles:
- name: default
  plugins: [{pluginRef: queue-scorer}, {pluginRef: session-affinity-scorer}]
requestHandler:
  parsers: [{pluginRef: reader}]
`;

  it.each([
    ["RequestParsing", "openai-parser", "reader", 1],
    ["ResponseParsing", "openai-parser", "reader", 2],
    ["ResponseReceived", "session-affinity-scorer", "session-affinity-scorer", 1],
    ["ResponseStreaming", "inflight-load-producer", "inflight-load-producer", 1],
  ])("%s is timed for %s", async (point, type, name, least) => {
    const played = exchange({ pods: THREE, config }, [
      ...request(PATH, [body("m")]),
      { response_headers: { headers: [["content-type", "application/json"]] } },
      { response_body: { body: "{" } },
      { response_body: { body: "}", end_of_stream: true } },
    ]);
    const page = await played.metrics.metrics();
    for (const prefix of ["llm_d_epp", "inference_extension"]) {
      const series = `${prefix}_plugin_duration_seconds_count{extension_point="${point}",plugin_name="${name}",plugin_type="${type}"} `;
      const line = page.split("\n").find((candidate) => candidate.startsWith(series));
      expect(Number(line?.slice(series.length))).toBeGreaterThanOrEqual(least);
    }
  });
});

describe("scores of endpoints (epp-core 11.1, endpoint_scores_test.go)", () => {
  const scores = (flags: readonly string[]) => {
    const [headers] = messagesOf(exchange(on(THREE, { flags }), request(PATH, [body("m")])));
    return headers.dynamic_metadata?.["envoy.lb"]?.["x-gateway-destination-endpoint-scores"];
  };

  it("the struct covers all candidates", () => {
    expect(Object.keys(scores([]) as object).toSorted()).toEqual([host(0), host(1), host(2)]);
  });

  it("is off without the flag", () => {
    expect(scores(["--emit-endpoint-scores=false"])).toBeUndefined();
  });
});

describe("affinity of sessions (epp-core 11.1, session_affinity_test.go)", () => {
  const ok: CaseMessage = { response_headers: { headers: [["content-type", "application/json"]] } };
  const affinity = (type: string, strategy = "") => `
plugins:
- type: ${type}
  parameters: {${strategy}}
- type: queue-scorer
schedulingProfiles:
- name: default
  plugins:
  - {pluginRef: ${type}${type.endsWith("scorer") ? ", weight: 10" : ""}}
  - {pluginRef: queue-scorer}
`;
  /** A token of the pod that the queue-scorer would not take. */
  const token = Buffer.from("default/pod-2").toString("base64");

  it.each(["session-affinity-filter", "session-affinity-scorer"])("token header round trip: %s", (type) => {
    const config = affinity(type);
    const first = exchange({ pods: THREE, config }, [...request(PATH, [body("m")]), ok]);
    expect(destinationOf(first)).toBe(host(1));
    const response = messagesOf(first).find((message) => message.type === "response_headers");
    expect(headerOf(response, "x-session-token")).toBe(Buffer.from("default/pod-1").toString("base64"));
    const again = request(PATH, [body("m")], { headers: [["x-session-token", token]] });
    expect(destinationOf(exchange({ pods: THREE, config }, [...again, ok]))).toBe(host(2));
  });

  it.each(["session-affinity-filter", "session-affinity-scorer"])("session-id strategy: %s", (type) => {
    const config = affinity(type, "strategy: session_id");
    const session = (id: string) => [...request(PATH, [body("m")], { headers: [["x-session-id", id]] }), ok];
    const ids = Array.from({ length: 24 }, (_, i) => `s${i}`);
    const played = exchange({ pods: THREE, config }, ...[...ids, ...ids].map(session));
    const picks = [...ids, ...ids].map((_, i) => destinationOf(played, `r${i}`));
    expect(picks.slice(ids.length)).toEqual(picks.slice(0, ids.length));
  });

  it("P/D: the token names the decode pod", () => {
    const config = `
plugins:
- type: session-affinity-scorer
- type: queue-scorer
- type: prefill-filter
- type: decode-filter
- type: always-disagg-pd-decider
- type: disagg-profile-handler
  parameters: {deciders: {prefill: always-disagg-pd-decider}}
schedulingProfiles:
- name: prefill
  plugins: [{pluginRef: prefill-filter}, {pluginRef: queue-scorer}]
- name: decode
  plugins: [{pluginRef: decode-filter}, {pluginRef: session-affinity-scorer, weight: 10}, {pluginRef: queue-scorer}]
`;
    const labels = ["prefill", "decode", "decode"].map((role) => ({ "llm-d.ai/role": role }));
    const options = { pods: THREE, config, labels };
    const played = exchange(options, [...request(PATH, [body("m")], { headers: [["x-session-token", token]] }), ok]);
    const [headers] = messagesOf(played);
    expect(destinationOf(played)).toBe(host(2));
    expect(headerOf(headers, "x-prefiller-host-port")).toBe(host(0));
    const response = messagesOf(played).find((message) => message.type === "response_headers");
    expect(headerOf(response, "x-session-token")).toBe(token);
  });
});

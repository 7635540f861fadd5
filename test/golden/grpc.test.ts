import { describe, expect, it } from "vitest";
import { encoded, framed } from "../../src/plugins/parsers/test-support/grpc-messages.ts";
import type { Bytes, CaseMessage, Json, Step } from "./cases.ts";
import { samplesOf } from "./metrics-page.ts";
import { type Played, play } from "./player.ts";

const METHODS = {
  generate: "/vllm.grpc.engine.VllmEngine/Generate",
  embed: "/vllm.grpc.engine.VllmEngine/Embed",
  chat: "/google.cloud.aiplatform.v1beta1.PredictionService/ChatCompletions",
  health: "/proxied/vllm.grpc.engine.VllmEngine/Generate",
};
const CONFIG = `
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: queue-scorer
- type: kv-cache-utilization-scorer
- type: prefix-cache-scorer
- type: lora-affinity-scorer
- type: vllmgrpc-parser
- type: vertexai-parser
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: queue-scorer
  - pluginRef: kv-cache-utilization-scorer
  - pluginRef: prefix-cache-scorer
  - pluginRef: lora-affinity-scorer
requestHandler:
  parsers: [{pluginRef: vllmgrpc-parser}, {pluginRef: vertexai-parser}]
`;

/** Waiting requests, KV use and running adapters of a pod. */
type Pod = readonly [queue: number, kv: number, ...adapters: string[]];
const IDLE: readonly Pod[] = [[4, 0.2]];

const bytes = (of: Uint8Array): Bytes => ({ base64: Buffer.from(of).toString("base64") });
const host = (i: number) => `192.168.1.${i + 1}:8000`;
const page = ([queue, kv, ...adapters]: Pod) =>
  [
    `# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting ${queue}`,
    `# TYPE vllm:kv_cache_usage_perc gauge\nvllm:kv_cache_usage_perc ${kv}`,
    `# TYPE vllm:lora_requests_info gauge\nvllm:lora_requests_info{max_lora="4",running_lora_adapters="${adapters.join(",")}",waiting_lora_adapters=""} 1\n`,
  ].join("\n");

function exchange(pods: readonly Pod[], messages: readonly CaseMessage[], flags: readonly string[] = []): Played {
  const played = play(
    {
      id: "grpc",
      family: "own",
      config: CONFIG,
      flags,
      endpoints: pods.map((_, i) => ({ name: `pod-${i}`, address: `192.168.1.${i + 1}`, port: "8000" })),
      metrics: Object.fromEntries(pods.map((pod, i) => [host(i), page(pod)])),
      steps: messages.map((message): Step => ({ send: "r", message })),
    },
    "stock",
  );
  expect(played.requestsLeft).toBe(0);
  return played;
}

const request = (
  method: keyof typeof METHODS,
  body: readonly Uint8Array[],
  subset?: readonly string[],
): CaseMessage[] => {
  const metadata: Record<string, Json> | undefined = subset && {
    "envoy.lb.subset_hint": { "x-gateway-destination-endpoint-subset": subset },
  };
  return [
    {
      request_headers: {
        headers: [
          [":path", METHODS[method]],
          ["hi", "mom"],
          ["x-request-id", "id"],
        ],
      },
    },
    ...body.map((piece, i) => ({
      request_body: { body: bytes(piece), end_of_stream: i + 1 === body.length },
      ...(metadata && { metadata }),
    })),
  ];
};
const response = (...pieces: readonly Uint8Array[]): CaseMessage[] => [
  { response_headers: { headers: [["content-type", "application/grpc"]] } },
  ...pieces.map((piece) => ({ response_body: { body: bytes(piece) } })),
  { response_trailers: {} },
];
const halves = (whole: Buffer) => [whole.subarray(0, whole.length >> 1), whole.subarray(whole.length >> 1)];

const text = (value: string, more: object = {}) => framed(encoded("GenerateRequest", { text: value, ...more }));
const EMBED = framed(encoded("EmbedRequest", { tokenized: { original_text: "test1", input_ids: [1, 2, 3] } }));
const COMPLETE = framed(encoded("GenerateResponse", { complete: { prompt_tokens: 7, completion_tokens: 10 } }));
const CHUNK = framed(encoded("GenerateResponse", { chunk: { token_ids: [1, 2, 3] } }));

const messagesOf = ({ answers }: Played) => answers.streams["r"].messages;
const destinationOf = (played: Played) =>
  messagesOf(played)[0].set_headers?.find(([key]) => key === "x-gateway-destination-endpoint")?.[1];
/** Kinds of the answers to the response, with their bodies' bytes and whether they end the stream. */
const answered = (played: Played) =>
  messagesOf(played)
    .filter(({ type }) => type.startsWith("response"))
    .map(({ type, body, end_of_stream: end }) => [type, body?.bytes, end].filter((part) => part !== undefined));

async function tokens({ metrics }: Played): Promise<Readonly<Record<string, number>>> {
  const family = /^inference_objective_(?:input|output)_tokens_sum/;
  return Object.fromEntries([...samplesOf(await metrics.metrics())].filter(([series]) => family.test(series)));
}

describe("gRPC over ext_proc (epp-core 11.1, grpc_test.go)", () => {
  const three: readonly Pod[] = [
    [3, 0.2],
    [0, 0.1],
    [10, 0.2],
  ];
  const wide: readonly Pod[] = [
    [0, 0.2, "foo"],
    [0, 0.1, "foo", "sql-lora-1fdg2"],
    [10, 0.2, "foo"],
  ];

  it.each([
    ["select lower queue and kv cache", "generate", text("test1"), three, host(1)],
    ["select lower queue and kv cache for embedRequest", "embed", EMBED, three, host(1)],
    ["select lower queue with streaming request", "generate", text("test-stream", { stream: true }), three, host(1)],
    [
      "do not shed requests by default",
      "generate",
      text("test2"),
      [
        [6, 0.2, "foo", "bar"],
        [0, 0.85, "foo"],
        [10, 0.9, "foo"],
      ],
      host(0),
    ],
  ] as const)("%s", async (_, method, body, pods, picked) => {
    const played = exchange(pods, request(method, [body]));
    expect(destinationOf(played)).toBe(picked);
    expect(played.bodies.get("r")!.equals(body)).toBe(true);
    expect(messagesOf(played).at(-1)).toMatchObject({ type: "request_body", end_of_stream: true });
    const requests = 'inference_objective_request_total{model_name="",priority="0",target_model_name=""}';
    expect(samplesOf(await played.metrics.metrics()).get(requests)).toBe(1);
  });

  it("split body across chunks", () => {
    const body = text("test3");
    const pods: readonly Pod[] = [
      [4, 0.2, "foo", "bar"],
      [4, 0.85, "foo"],
    ];
    const played = exchange(pods, request("generate", halves(body)));
    expect(destinationOf(played)).toBe(host(0));
    expect(messagesOf(played).map(({ type }) => type)).toEqual(["request_headers", "request_body"]);
    expect(played.bodies.get("r")!.equals(body)).toBe(true);
  });

  it("no backend pods available", () => {
    const headers: CaseMessage = {
      request_headers: { headers: [["content-type", "application/json"]], end_of_stream: true },
    };
    const text500 = "inference error: Internal - no pods available in datastore";
    expect(messagesOf(exchange([], [headers]))).toMatchObject([
      { type: "immediate_response", code: 500, body: { utf8: text500 } },
    ]);
  });

  it.each([
    ["subsetting: select best from subset", [host(0), host(1), host(2)], host(1)],
    ["subsetting: partial match", [host(2)], host(2)],
  ])("%s", (_, subset, picked) => {
    expect(destinationOf(exchange(wide, request("generate", [text("test2")], subset)))).toBe(picked);
  });

  it("subsetting: no pods match", () => {
    const refused = "inference error: ServiceUnavailable - failed to find endpoint candidates for serving the request";
    const [only, ...others] = messagesOf(exchange(wide, request("generate", [text("test2")], ["192.168.1.99:8000"])));
    expect(others).toEqual([]);
    expect(only).toMatchObject({ type: "immediate_response", code: 503, body: { utf8: refused } });
  });

  it.each([
    ["response buffering: multi-chunk", halves(CHUNK)],
    ["response buffering: invalid gRPC", [Buffer.from("no healthy upstream")]],
  ])("%s", (_, pieces) => {
    const played = exchange(IDLE, [...request("generate", [text("x")]), ...response(...pieces)]);
    const length = Buffer.concat(pieces).length;
    expect(answered(played)).toEqual([["response_headers"], ["response_body", length, false], ["response_trailers"]]);
  });

  const counted = {
    'inference_objective_input_tokens_sum{model_name="",target_model_name=""}': 7,
    'inference_objective_output_tokens_sum{model_name="",target_model_name=""}': 10,
  };

  it("response with token usage", async () => {
    const played = exchange(IDLE, [...request("generate", [text("x")]), ...response(...halves(COMPLETE))]);
    expect(answered(played)).toEqual([
      ["response_headers"],
      ["response_body", COMPLETE.length, false],
      ["response_trailers"],
    ]);
    expect(await tokens(played)).toEqual(counted);
  });

  it.each([
    ["response streaming with token usage", [CHUNK, COMPLETE]],
    ["response streaming with token usage, messages cut and joined", halves(Buffer.concat([CHUNK, COMPLETE]))],
  ])("%s", async (_, pieces) => {
    const streamed = request("generate", [text("test-stream", { stream: true })]);
    const played = exchange(IDLE, [...streamed, ...response(...pieces)]);
    expect(answered(played)).toEqual([
      ["response_headers"],
      ...pieces.map((piece) => ["response_body", piece.length, false]),
      ["response_trailers"],
    ]);
    expect(await tokens(played)).toEqual(counted);
  });

  it("counts as the stock EPP does with --join-split-usage=false", async () => {
    const streamed = request("generate", [text("test-stream", { stream: true })]);
    const flags = ["--join-split-usage=false"];
    expect(await tokens(exchange(IDLE, [...streamed, ...response(CHUNK, COMPLETE)], flags))).toEqual(counted);
    expect(await tokens(exchange(IDLE, [...streamed, ...response(...halves(COMPLETE))], flags))).toEqual({});
  });

  it("a method that is not read passes, and its stream ends before the response", () => {
    const played = exchange(IDLE, request("health", [framed(Buffer.of(0xff))]));
    expect(destinationOf(played)).toBe(host(0));
    expect(played.answers.streams["r"].status).toEqual({ code: 0 });
  });
});

describe("Vertex AI's chat completions over ext_proc", () => {
  const httpBody = (json: object) => ({ content_type: "application/json", data: Buffer.from(JSON.stringify(json)) });
  const chat = { model: "m", messages: [{ role: "user", content: "Hello" }] };
  const body = framed(encoded("PredictRequest", { endpoint: "e", http_body: httpBody(chat) }));

  it("go on byte for byte, are counted by their model, and have their usage read", async () => {
    const usage = { prompt_tokens: 7, completion_tokens: 10 };
    const answer = framed(encoded("HttpBody", httpBody({ id: "x", usage })));
    const played = exchange(IDLE, [...request("chat", [body]), ...response(...halves(answer))]);
    expect(played.bodies.get("r")!.equals(body)).toBe(true);
    expect(await tokens(played)).toEqual({
      'inference_objective_input_tokens_sum{model_name="m",target_model_name=""}': 7,
      'inference_objective_output_tokens_sum{model_name="m",target_model_name=""}': 10,
    });
  });
});

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request as startRequest, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { expect, it } from "vitest";
import { describeWithEnvoy } from "../support/envoy.ts";
import { startOtlpReceiver } from "../support/otlp-receiver.ts";
import { startPickerProcess, type PickerProcess } from "../support/picker-process.ts";

/** Words that may come out nowhere: of a prompt, of a model's answer, of a client's key, of a query string. */
const PROMPT = "quokkaprompt";
const ANSWER = "narwhalanswer";
const KEY = "axolotlkey";
const QUERY = "pangolinquery";
/** The same where only numbers go. */
const TOKEN_ID = 918_273_645;
const MODEL = "m";

/** A body of each shape with the prompt in it. */
const SHAPES: readonly (readonly [path: string, body: object])[] = [
  ["/v1/completions", { model: MODEL, prompt: PROMPT }],
  ["/v1/completions", { model: MODEL, prompt: [PROMPT, PROMPT], user: PROMPT }],
  ["/v1/completions", { model: MODEL, prompt: [TOKEN_ID, 2] }],
  ["/v1/chat/completions", { model: MODEL, messages: [{ role: "user", content: PROMPT }] }],
  [
    "/v1/chat/completions",
    {
      model: MODEL,
      messages: [
        { role: "system", content: [{ type: "text", text: PROMPT }] },
        { role: "user", content: [{ type: "image_url", image_url: { url: `http://${PROMPT}/a.png` } }] },
        { role: "assistant", tool_calls: [{ id: "1", function: { name: PROMPT, arguments: PROMPT } }] },
      ],
      tools: [{ type: "function", function: { name: PROMPT, description: PROMPT } }],
    },
  ],
  ["/v1/responses", { model: MODEL, input: PROMPT, instructions: PROMPT }],
  ["/v1/responses", { model: MODEL, input: [{ role: "user", content: [{ type: "input_text", text: PROMPT }] }] }],
  ["/v1/conversations", { model: MODEL, items: [{ type: "message", role: "user", content: PROMPT }] }],
  ["/v1/embeddings", { model: MODEL, input: [PROMPT] }],
  ["/v1/images/generations", { model: MODEL, prompt: PROMPT }],
  ["/v1/messages", { model: MODEL, system: PROMPT, messages: [{ role: "user", content: PROMPT }] }],
  ["/v1/messages", { model: MODEL, messages: [{ role: "user", content: [{ type: "text", text: PROMPT }] }] }],
  ["/v1/messages/count_tokens", { model: MODEL, messages: [{ role: "user", content: PROMPT }] }],
  ["/inference/v1/generate", { model: MODEL, token_ids: [TOKEN_ID, 2, 3], text: PROMPT }],
  ["/generate", { input_ids: [TOKEN_ID, 2], text: PROMPT }],
  ["/v1/rerank", { model: MODEL, query: PROMPT, documents: [PROMPT] }],
];

const lengthOf = (bytes: string): string =>
  bytes.length < 128
    ? String.fromCharCode(bytes.length)
    : String.fromCharCode((bytes.length & 127) | 128, bytes.length >> 7);
/** A field of a protobuf message, of bytes. */
const field = (number: number, bytes: string): string =>
  String.fromCharCode((number << 3) | 2) + lengthOf(bytes) + bytes;
const grpcFrame = (message: string): string =>
  `\0\0\0${String.fromCharCode(message.length >> 8, message.length & 255)}${message}`;

/** Bodies as text, a character a byte. */
const BODIES: readonly (readonly [path: string, body: string])[] = [
  ...SHAPES.map(([path, body]) => [path, JSON.stringify(body)] as const),
  ["/vllm.grpc.engine.VllmEngine/Generate", grpcFrame(field(3, PROMPT))],
  ["/vllm.grpc.engine.VllmEngine/Generate", grpcFrame(field(2, field(1, PROMPT) + field(2, "\u0001\u0002")))],
  [
    "/google.cloud.aiplatform.v1beta1.PredictionService/ChatCompletions",
    grpcFrame(field(2, field(2, JSON.stringify({ model: MODEL, messages: [{ role: "user", content: PROMPT }] })))),
  ],
];

/** What can be wrong with a body; the canary stays in it. */
const FAULTS: readonly ((text: string) => string)[] = [
  (text) => text.slice(0, -1),
  (text) => text.slice(0, text.lastIndexOf(PROMPT) + PROMPT.length),
  (text) => `${text}${PROMPT}`,
  (text) => `${PROMPT}${text}`,
  (text) => text.replaceAll(`"${PROMPT}"`, PROMPT),
  (text) => text.replaceAll(`"${PROMPT}"`, `{"${PROMPT}":1}`),
  (text) => text.replaceAll(PROMPT, `${PROMPT}\u0001`),
  (text) => text.replaceAll(PROMPT, `${PROMPT}\\q`),
  (text) => text.replaceAll(`"model":"${MODEL}"`, `"model":{"${PROMPT}":["${PROMPT}"]}`),
  (text) => text.replaceAll(`"model":"${MODEL}",`, ""),
  (text) => text.replaceAll(String(TOKEN_ID), `-${TOKEN_ID}`),
  (text) => text.replaceAll(/\[\{.*\}\]/g, `"${PROMPT}"`),
  (text) => text.replaceAll(/"(messages|input|prompt|items|token_ids|input_ids|text)":/g, `"${PROMPT}":`),
  (text) => `[${text}]`,
];

const CONFIG = `
plugins:
- type: openai-parser
- type: anthropic-parser
- type: vllmhttp-parser
- type: sglanghttp-parser
- type: vllmgrpc-parser
- type: vertexai-parser
- type: passthrough-parser
- type: queue-scorer
- type: prefix-cache-scorer
- type: inflight-load-producer
- type: session-id-producer
  parameters: {headerName: x-session-id}
- type: active-request-scorer
- type: max-score-picker
schedulingProfiles:
- name: default
  plugins:
  - {pluginRef: queue-scorer, weight: 2}
  - {pluginRef: prefix-cache-scorer, weight: 3}
  - {pluginRef: active-request-scorer}
  - {pluginRef: max-score-picker}
requestHandler:
  parsers:
  - {pluginRef: openai-parser}
  - {pluginRef: anthropic-parser}
  - {pluginRef: vllmhttp-parser}
  - {pluginRef: sglanghttp-parser}
  - {pluginRef: vllmgrpc-parser}
  - {pluginRef: vertexai-parser}
  - {pluginRef: passthrough-parser}
`;

/** A model server: whole or in events, or an error, each with the answer's canary. */
const answer: Parameters<typeof startPickerProcess>[0]["answer"] = ({ path, headers }, response) => {
  if (path === "/metrics") {
    response.writeHead(200).end("# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting 0\n");
    return;
  }
  const usage = `"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}`;
  if (headers["x-pod"] === "fails") response.writeHead(500, { "x-why": ANSWER }).end(`{"error":"${ANSWER}"}`);
  else if (headers["x-pod"] === "breaks") response.writeHead(200).end(`{"choices":[{"text":"${ANSWER}`);
  else if (headers["x-pod"] === "streams") {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(`data: {"choices":[{"text":"${ANSWER}"}]}\n\ndata: {"choices":[],${usage}}\n\ndata: [DONE]\n\n`);
  } else
    response
      .writeHead(200, { "content-type": "application/json" })
      .end(`{"model":"m","choices":[{"text":"${ANSWER}"}],${usage}}`);
};

/** Sends a body; gives the status, or undefined when `abort` says to give up half way. */
async function send(
  picker: PickerProcess,
  { path, body, pod = "", abort = false }: { path: string; body: string; pod?: string; abort?: boolean },
): Promise<number | undefined> {
  const bytes = Buffer.from(body, "latin1");
  const request = startRequest(`${picker.url}${path}?key=${QUERY}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "content-length": bytes.length,
      authorization: `Bearer ${KEY}`,
      cookie: KEY,
      "x-pod": pod,
    },
    agent: false,
  });
  if (abort) {
    request.on("error", () => undefined);
    request.write(bytes.subarray(0, -1), () => request.destroy());
    await new Promise((resolve) => request.on("close", resolve));
    return undefined;
  }
  request.end(bytes);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.on("error", () => undefined).resume();
  await new Promise((resolve) => response.on("close", resolve));
  return response.statusCode;
}

/** A word as it is, and as base64 and hex would hold it. */
const formsOf = (word: string): readonly string[] => [
  word,
  Buffer.from(word).toString("hex"),
  ...[0, 1, 2].map((shift) =>
    Buffer.from(" ".repeat(shift) + word)
      .toString("base64")
      .slice(shift === 0 ? 0 : 4, -4),
  ),
];

describeWithEnvoy("what clients and models say", () => {
  it("comes out in no log line at the highest verbosity, no metric, no recorded event, no span", async () => {
    const receiver = await startOtlpReceiver();
    const picker = await startPickerProcess({
      answer,
      config: CONFIG,
      flags: (folder) => ["-v=10", "--tracing=true", "--record-events", join(folder, "run.jsonl")],
      env: { OTEL_TRACES_SAMPLER: "always_on", OTEL_EXPORTER_OTLP_ENDPOINT: `http://${receiver.address}` },
    });
    const statuses = new Map<number | undefined, number>();
    let sent = 0;
    const all = BODIES.flatMap(([path, text]) => {
      const streamed = text.replace(/^\{/, '{"stream":true,');
      return [
        { path, body: text },
        { path, body: streamed, pod: "streams" },
        { path, body: text, pod: "fails" },
        { path, body: text, pod: "breaks" },
        { path, body: text, abort: true },
        ...FAULTS.map((fault) => ({ path, body: fault(text) })),
      ];
    });
    for (const one of all) {
      const status = await send(picker, one);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      sent++;
    }
    const pages = await Promise.all(
      ["/metrics", "/debug/plugins/state"].map(async (path) => (await fetch(`${picker.metricsUrl}${path}`)).text()),
    );
    expect(await picker.stop()).toBe(0);
    const media = {
      "standard error": picker.epp.stderr.join("\n"),
      "standard output": picker.epp.stdout.join("\n"),
      "metrics and state": pages.join("\n"),
      events: readFileSync(join(picker.folder, "run.jsonl"), "utf8"),
      traces: receiver.text,
    };

    // Each medium has something to tell of these requests, so that a word of theirs could be in it.
    expect(statuses.get(200)).toBeGreaterThan(BODIES.length);
    expect(statuses.get(400)).toBeGreaterThan(BODIES.length * 2);
    expect(statuses.get(500)).toBe(BODIES.length);
    const lines = picker.epp.stderr.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter(({ msg }) => msg === "EPP received request").length).toBeGreaterThanOrEqual(
      sent - BODIES.length,
    );
    expect(lines.some(({ msg }) => msg === "Request refused")).toBe(true);
    expect(media["metrics and state"]).toContain("llm_d_epp_request_total{");
    expect(media.events.split("\n").length).toBeGreaterThan(BODIES.length);
    expect(receiver.spans.filter(({ name }) => name === "gateway.request").length).toBeGreaterThan(sent / 2);
    for (const [medium, text] of Object.entries(media)) {
      for (const word of [PROMPT, ANSWER, KEY, QUERY, String(TOKEN_ID)]) {
        for (const form of formsOf(word)) expect(text.includes(form), `${word} in ${medium} as ${form}`).toBe(false);
      }
    }
    for (const line of lines.filter(({ msg }) =>
      /^(EPP received request|Request |Response |Stream )/.test(String(msg)),
    )) {
      expect(line).toMatchObject({ level: expect.any(String), ts: expect.any(Number), logger: "warmpath" });
      expect(line["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
      expect(line["trace_id"]).toMatch(/^[0-9a-f]{32}$/);
    }
  });
});

import { status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { createParserTable } from "../../src/plugins/parsers/resolve-parser.ts";
import { vllmgrpcParser } from "../../src/plugins/parsers/vllmgrpc-parser.ts";
import { startExtProcServer, type ExtProcServer } from "../../src/server/ext-proc-server.ts";
import { describeWithEnvoy, startEnvoy, type RunningEnvoy } from "../support/envoy.ts";
import { FixedPicker, openaiReading } from "../support/fixed-picker.ts";
import { EngineClient, EnginePod, type Fields } from "../support/vllm-engine.ts";

const table = createParserTable([vllmgrpcParser]);
const CHUNKS: readonly Fields[] = [
  { chunk: { token_ids: [1, 2] } },
  { chunk: { token_ids: [3], prompt_tokens: 7, completion_tokens: 3 } },
  {
    complete: {
      output_ids: [1, 2, 3],
      finish_reason: "stop",
      prompt_tokens: 7,
      completion_tokens: 3,
      cached_tokens: 4,
    },
  },
];

describeWithEnvoy("vLLM's gRPC API behind a real Envoy", () => {
  let envoy: RunningEnvoy;
  let server: ExtProcServer;
  let picker: FixedPicker;
  let pod: EnginePod;
  let client: EngineClient;
  const failures: unknown[] = [];
  const received: Fields[] = [];

  beforeAll(async () => {
    pod = await EnginePod.start(
      (call) => {
        received.push(call.request);
        if (call.request["text"] === "fail") {
          call.emit("error", { code: status.RESOURCE_EXHAUSTED, details: "too many requests" });
          return;
        }
        for (const message of CHUNKS) call.write(message);
        call.end();
      },
      (call, answer) => {
        received.push(call.request);
        answer(null, { embedding: [0.5, -1], prompt_tokens: 3, embedding_dim: 2 });
      },
    );
    picker = new FixedPicker({ target: pod.target });
    server = await startExtProcServer({
      picker,
      plan: () => ({ ...openaiReading(), resolveParser: (path) => table.resolve(path) }),
      host: "127.0.0.1",
      port: 0,
      failed: (error) => failures.push(error),
    });
    envoy = await startEnvoy({ extProcPort: server.port, podProtocol: "h2c" });
    client = new EngineClient(`127.0.0.1:${envoy.port}`);
  });
  afterAll(async () => {
    client.close();
    await envoy.stop();
    await server.stop();
    pod.stop();
    expect(failures).toEqual([]);
  });
  beforeEach(() => {
    picker.requests.length = 0;
    received.length = 0;
  });
  afterEach(async () => {
    await picker.until((requests) => requests.every(({ events }) => events.at(-1)?.startsWith("ended")));
    await expect.poll(() => server.streamCount).toBe(0);
    expect(server.bodyBytesInFlight).toBe(0);
  });

  it.each([
    ["a stream", true],
    ["a whole answer", false],
  ])("token ids of 200 kB get %s, with usage and status in trailers", async (_, stream) => {
    const input_ids = Array.from({ length: 70_000 }, (__, i) => i);
    const answer = await client.generate({ tokenized: { input_ids }, sampling_params: { max_tokens: 5 }, stream });
    expect(answer).toMatchObject(CHUNKS);
    expect(received).toMatchObject([{ tokenized: { input_ids }, stream }]);
    const [{ facts, events, usage }] = picker.requests;
    expect(facts).toMatchObject({
      model: "",
      parser: "vllmgrpc-parser",
      stream,
      maxOutputTokens: 5,
      inputTokens: 70_000,
    });
    expect(events).toEqual(["started", "first byte", "ended natural"]);
    expect(usage).toEqual({ promptTokens: 7, completionTokens: 3, cachedTokens: 4 });
  });

  it("an embedding is counted", async () => {
    const answer = await client.embed({ tokenized: { original_text: "t", input_ids: [1, 2, 3] } });
    expect(answer).toMatchObject({ embedding: [0.5, -1], prompt_tokens: 3 });
    expect(picker.requests[0].usage).toEqual({ promptTokens: 3, completionTokens: 0, cachedTokens: -1 });
  });

  it("an error of the pod is passed on, and the request ends", async () => {
    const failed = { code: status.RESOURCE_EXHAUSTED, details: "too many requests" };
    await expect(client.generate({ text: "fail", stream: true })).rejects.toMatchObject(failed);
    expect(picker.requests[0].usage).toBeUndefined();
  });

  it("a request without a prompt is refused before it reaches the pod", async () => {
    await expect(client.generate({ request_id: "r" })).rejects.toMatchObject({ code: status.INTERNAL });
    expect(received).toEqual([]);
    expect(picker.requests).toEqual([]);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encoded, framed } from "./test-support/grpc-messages.ts";
import { accepted, parseBody, promptTexts, refusal } from "./test-support/parse.ts";
import { vertexaiParser } from "./vertexai-parser.ts";
import { createVertexUsageReader } from "./vertexai-usage.ts";

const SERVICE = "/google.cloud.aiplatform.v1beta1.PredictionService";
const httpBody = (json: unknown) => ({
  content_type: "application/json",
  data: Buffer.from(typeof json === "string" ? json : JSON.stringify(json)),
});
const request = (json: unknown) => framed(encoded("PredictRequest", { endpoint: "e", http_body: httpBody(json) }));
const call = (method: string, body: Uint8Array) => parseBody(vertexaiParser, `${SERVICE}/${method}`, body);

const CHAT = { model: "m", stream: true, max_tokens: 9, messages: [{ role: "user", content: "Hello" }] };

describe("vertexai-parser", () => {
  it("reads chat completions as openai-parser does, and rewrites no model", () => {
    const parsed = call("ChatCompletions", request(CHAT));
    expect(accepted(parsed)).toMatchObject({ model: "m", stream: true, maxOutputTokens: 9, rewritable: false });
    expect(promptTexts(parsed)).toEqual(["userHello"]);
  });

  it.each(["RawPredict", "StreamRawPredict"])("reads %s as a request of the responses API", (method) => {
    const parsed = call(method, request({ model: "m", input: "Hello", max_output_tokens: 3, cache_salt: "s" }));
    expect(accepted(parsed)).toMatchObject({ model: "m", maxOutputTokens: 3, cacheSalt: "s", rewritable: false });
    expect(promptTexts(parsed)).toEqual(['[{"input":"Hello"}]']);
  });

  const invalid = "invalid or unsupported gRPC payload: ";
  const malformed = "unmarshaling ChatCompletionsRequest: proto: ";
  const jsonError = "parsing ChatCompletionsRequest: error unmarshaling request bodyMap: ";
  it.each([
    ["nothing", Buffer.of(), `${invalid}invalid gRPC frame: expected at least 5 bytes for header, got 0`],
    ["a compressed message", framed(Buffer.of(), 1), `${invalid}compressed gRPC payload is not supported`],
    [
      "a cut message",
      Buffer.of(0, 0, 0, 0, 9, 1),
      `${invalid}incomplete gRPC payload: header indicates 9 bytes, but only 1 bytes are available`,
    ],
    ["no protobuf", framed(Buffer.of(0x12, 9)), `${malformed}cannot parse invalid wire-format data`],
    [
      "an endpoint that is no UTF-8",
      framed(Buffer.of(0x0a, 1, 0xff)),
      `${malformed}field google.cloud.aiplatform.v1beta1.ChatCompletionsRequest.endpoint contains invalid UTF-8`,
    ],
    ["no HttpBody", framed(encoded("PredictRequest", { endpoint: "e" })), "ChatCompletionsRequest has no HttpBody"],
    ["an HttpBody without data", framed(Buffer.of(0x12, 0)), `${jsonError}unexpected end of JSON input`],
    ["no JSON", request("{'a'}"), `${jsonError}invalid character '\\'' looking for beginning of object key string`],
    [
      "no messages",
      request({ model: "m" }),
      "parsing ChatCompletionsRequest: invalid chat completions request: must have valid messages field",
    ],
  ])("refuses %s", (_, body, message) => {
    expect(refusal(call("ChatCompletions", body))).toBe(message);
  });

  it("passes another path with its response unread", () => {
    expect(accepted(call("RawPredict/", Buffer.of(1)))).toMatchObject({ skipResponse: true, rewritable: false });
  });
});

describe("usage of Vertex AI's answers", () => {
  const answer = (json: unknown) => framed(encoded("HttpBody", httpBody(json)));
  const told = { prompt_tokens: 11, completion_tokens: 7, prompt_tokens_details: { cached_tokens: 2 } };
  const usage = { promptTokens: 11, completionTokens: 7, cachedTokens: 2 };
  const read = (chunks: readonly Uint8Array[], joins = true) => {
    const reader = createVertexUsageReader(false, joins);
    for (const chunk of chunks) reader.push(chunk, false);
    return reader.usage();
  };
  const events = [
    answer(`data: ${JSON.stringify({ choices: [{ text: "a" }], usage: null })}\n\ndata: {"choices":[],`),
    answer(`"usage":${JSON.stringify(told)}}\n\ndata: [DONE]\n\n`),
  ];

  it.each([
    ["an answer", [answer({ id: "x", usage: told })], usage],
    [
      "the last of several that tells it",
      [answer({ usage: { prompt_tokens: 1 } }), answer({ usage: told }), answer({})],
      usage,
    ],
    ["an event stream in pieces", events, usage],
    ["an answer without it", [answer({ id: "x" })], undefined],
    ["nothing", [framed(Buffer.of())], undefined],
    ["a message that is no HttpBody", [framed(Buffer.of(0x12, 9, 1))], undefined],
  ] as const)("is read from %s", (_, chunks, expected) => {
    expect(read(chunks)).toEqual(expected);
  });

  it("is missed where a message is cut, when asked to do as the stock EPP does", () => {
    const whole = answer({ usage: told });
    expect(read([whole], false)).toEqual(usage);
    expect(read([whole.subarray(0, 30), whole.subarray(30)], false)).toBeUndefined();
  });

  it.each([
    ["an answer", answer({ id: "x", usage: told })],
    ["events", Buffer.concat(events)],
  ])("does not depend on where %s are cut", (_, body) => {
    fc.assert(
      fc.property(fc.array(fc.nat(body.length)), (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), body.length];
        expect(read(at.slice(1).map((end, i) => body.subarray(at[i], end)))).toEqual(usage);
      }),
    );
  });
});

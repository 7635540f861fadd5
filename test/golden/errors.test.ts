import { describe, expect, it } from "vitest";
import { REJECTION_STATUS, type DroppedReason, type RejectionCode } from "../../src/core/rejection.ts";
import { createResponseEncoder } from "../../src/protocol/codec.ts";
import { immediateAnswer } from "../../src/protocol/immediate-response.ts";
import type { CaseMessage } from "./cases.ts";
import { exchange, type ExchangeOptions, messagesOf, type Pod, request } from "./exchange.ts";
import { decodeResponse } from "./wire.ts";

/**
 * Each error of the stock EPP's table (`spec/epp-core.md` 1.3): HTTP status, body and headers in full, and the end of
 * the stream. Those of flow control and of evictions wait for these.
 */
const PODS: readonly Pod[] = [
  [3, 0.2],
  [0, 0.1],
];
const ALL_PARSERS = ["openai", "anthropic", "vllmhttp", "sglanghttp", "vllmgrpc", "vertexai"];
const config = (plugins = "", profile = "{pluginRef: queue-scorer}", parsers: readonly string[] = ALL_PARSERS) => `
plugins:
- type: queue-scorer
${plugins}
${parsers.map((name) => `- type: ${name}-parser`).join("\n")}
schedulingProfiles:
- name: default
  plugins: [${profile}]
requestHandler:
  parsers: [${parsers.map((name) => `{pluginRef: ${name}-parser}`).join(", ")}]
`;
const COMPLETIONS = "/v1/completions";
const REQUEST = request(COMPLETIONS, ['{"model":"m","prompt":"x"}']);

/** The one answer to a refused request: status, body, headers. The stream ends well. */
function refusal(options: Partial<ExchangeOptions>, messages: readonly CaseMessage[]) {
  const played = exchange({ pods: PODS, config: config(), ...options }, messages);
  expect(played.answers.streams["r0"].status).toEqual({ code: 0 });
  const [only, ...others] = messagesOf(played);
  expect(others).toEqual([]);
  const { type, code, body, set_headers: headers = [], ...rest } = only;
  expect(type).toBe("immediate_response");
  // Neither metadata nor a gRPC status nor anything else is told.
  expect(Object.keys(rest)).toEqual(["after"]);
  return [code, (body as { utf8: string }).utf8, headers];
}

const DROPPED = (reason: DroppedReason) => [["x-llm-d-request-dropped-reason", reason]];

describe("bodies that can't be read are answered 400", () => {
  const chat = "/v1/chat/completions";
  const messages = "/v1/messages";
  const generate = "/inference/v1/generate";
  it.each([
    [COMPLETIONS, "{", "error unmarshaling request bodyMap: unexpected end of JSON input"],
    [COMPLETIONS, '{"model":"m"}', "invalid completions request: must have prompt field"],
    [chat, '{"model":"m"}', "invalid chat completions request: must have valid messages field"],
    ["/v1/responses", '{"model":"m"}', "invalid responses request: must have input field"],
    ["/v1/conversations", '{"model":"m"}', "invalid conversations request: must have items field"],
    ["/v1/embeddings", '{"model":"m"}', "invalid embeddings request: must have input field"],
    ["/v1/images/generations", '{"model":"m"}', "invalid images generations request: must have prompt field"],
    [
      messages,
      "[]",
      "error unmarshaling request body: json: cannot unmarshal array into Go value of type map[string]interface {}",
    ],
    [messages, '{"model":"m","messages":[]}', "invalid messages request: must have at least one message"],
    [
      messages,
      '{"model":"m","messages":[{"role":"user","content":7}]}',
      "error parsing messages request: anthropic content: must be a string or an array of content blocks",
    ],
    ["/v1/not-messages", "", "no parser registered matching path suffix for: /v1/not-messages", ["anthropic-x"]],
    [generate, '{"model":"m"}', "invalid generate request: must have non-empty token_ids field"],
    [generate, '{"model":"m","token_ids":[1,-1]}', "invalid generate request: token_ids[1]: invalid value -1"],
    [
      generate,
      '{"model":"m","token_ids":["x"]}',
      "invalid generate request: json: cannot unmarshal string into Go struct field .token_ids of type float64",
    ],
    [generate, "x", "invalid character 'x' looking for beginning of value"],
    [`${generate}/`, '{"token_ids":[1]}', `unsupported path: ${generate}/`],
    ["/vllm.grpc.engine.VllmEngine/Generate", "x", "invalid or unsupported gRPC payload"],
    ["/vllm.grpc.engine.VllmEngine/Generate", "\0\0\0\0\0", "not supported request inputType"],
    ["/vllm.grpc.engine.VllmEngine/Embed", "\0\0\0\0\0", "missing tokenized input in EmbedRequest"],
    [COMPLETIONS, '{"prompt":"x"}', "model not found in request body"],
  ] as const)("%s with %s: %s", (path, body, why, parsers?: readonly string[]) => {
    const options = parsers ? { config: config("", undefined, ["openai"]) } : {};
    expect(refusal(options, request(path, [body]))).toEqual([400, `inference error: BadRequest - ${why}`, []]);
  });
});

describe("requests that get no pod are answered by why", () => {
  it("412: no pod holds what the client wants to be there", () => {
    const cached = config("- type: prefix-cache-scorer", "{pluginRef: prefix-cache-scorer}");
    const messages = request(COMPLETIONS, [`{"model":"m","prompt":"${"x".repeat(400)}"}`], {
      headers: [["prefer", "if-available"]],
    });
    const why = "inference error: PreconditionFailed - no decode worker has the requested KV cache";
    expect(refusal({ config: cached }, messages)).toEqual([412, why, []]);
  });

  it("429: a request that may be shed, and all pods are full", () => {
    const messages = request(COMPLETIONS, ['{"model":"m","prompt":"x"}'], {
      headers: [["x-llm-d-inference-objective", "batch"]],
    });
    const full: ExchangeOptions = { pods: [[9, 0.9]], config: config(), objectives: { batch: -1 } };
    const why = "inference error: ResourceExhausted - system saturated, sheddable request dropped";
    expect(refusal(full, messages)).toEqual([429, why, []]);
    expect(messagesOf(exchange(full, REQUEST))[0].type).toBe("request_headers");
  });

  it("429: the filters leave none", () => {
    const none = config("- type: by-label\n  parameters: {label: a, validValues: [b]}", "{pluginRef: by-label}");
    const why = "inference error: ResourceExhausted - no endpoints available for the given request";
    expect(refusal({ config: none }, REQUEST)).toEqual([429, why, DROPPED("rejected-saturated")]);
  });

  it("429: no profile runs", () => {
    const oneProfile = config("- type: header-profile-handler\n  parameters: {defaultProfile: other}");
    const second = "- name: second\n  plugins: [{pluginRef: queue-scorer}]\n";
    const byHeader = oneProfile.replace("requestHandler:", `${second}requestHandler:`);
    const why = "failed to find target endpoint: failed to run any scheduler profile for request test-request-id";
    expect(refusal({ config: byHeader }, REQUEST)).toEqual([429, `inference error: ResourceExhausted - ${why}`, []]);
  });

  it.each([
    ["the pool is empty", [], undefined],
    ["the subset names none of it", PODS, ["10.0.0.1:8000"]],
    ["the subset is empty", PODS, []],
  ])("503: %s", (_, pods, subset) => {
    const messages = request(COMPLETIONS, ['{"model":"m","prompt":"x"}'], subset && { subset });
    const why = "inference error: ServiceUnavailable - failed to find endpoint candidates for serving the request";
    expect(refusal({ pods }, messages)).toEqual([503, why, DROPPED("rejected-no-endpoints")]);
  });

  it("503: the screeners leave none", () => {
    const screened = config(`- type: disaggregatedset-rollout-screener
  parameters:
    scope: {labelSelector: app=my-set}
    headerSelectors: [{name: revision, headerName: x-revision, labelKey: revision, mode: strict}]
    revisionGating: {mode: disabled}`);
    const labels = PODS.map(() => ({ app: "my-set", revision: "a" }));
    const messages = request(COMPLETIONS, ['{"model":"m","prompt":"x"}'], { headers: [["x-revision", "c"]] });
    const why = "inference error: ServiceUnavailable - screeners eliminated all endpoint candidates";
    expect(refusal({ config: screened, labels }, messages)).toEqual([503, why, DROPPED("rejected-no-endpoints")]);
  });

  it("500: the pool is empty, and the request has no body", () => {
    const bodyless: CaseMessage = { request_headers: { headers: [[":path", "/v1/models"]], end_of_stream: true } };
    const why = "inference error: Internal - no pods available in datastore";
    expect(refusal({ pods: [] }, [bodyless])).toEqual([500, why, []]);
  });

  it("500: an admitter denies", () => {
    const denying = config("- type: probabilistic-admitter");
    const messages = request(COMPLETIONS, ['{"model":"m","prompt":"x"}'], {
      headers: [["x-llm-d-inference-objective", "batch"]],
    });
    const denied: Partial<ExchangeOptions> = { config: denying, pods: [[4, 0.1]], objectives: { batch: -1 } };
    const why =
      "request cannot be admitted: inference error: ResourceExhausted - probabilistic-admitter: rejected, saturation=0.800 prob=1.00";
    expect(refusal(denied, messages)).toEqual([500, `inference error: Internal - ${why}`, []]);
  });
});

describe("any refusal on the wire", () => {
  const encode = createResponseEncoder();
  const codes = Object.entries(REJECTION_STATUS) as readonly (readonly [RejectionCode, number])[];
  const reasons: readonly (DroppedReason | undefined)[] = [
    undefined,
    "rejected-saturated",
    "rejected-no-endpoints",
    "rejected-ttl-expired",
    "rejected-context-cancelled",
    "rejected-shutting-down",
    "evicted",
  ];

  it.each(codes)("%s has status %i, its code and message as body, and its reason as a header", (code, status) => {
    for (const droppedReason of reasons) {
      const rejection = { code, message: "why <&> ü", ...(droppedReason && { droppedReason }) };
      const { message } = decodeResponse(Buffer.concat(encode(immediateAnswer(rejection))), 0);
      const text = `inference error: ${code} - why <&> ü`;
      expect(message).toEqual({
        after: 0,
        type: "immediate_response",
        code: status,
        body: { bytes: Buffer.byteLength(text), utf8: text },
        ...(droppedReason && { set_headers: DROPPED(droppedReason) }),
      });
    }
  });
});

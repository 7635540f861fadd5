import { describe, expect, it } from "vitest";
import { xxh64 } from "../../core/xxh64.ts";
import { DEFAULT_MEDIA } from "../../core/media.ts";
import { anthropicParser } from "./anthropic-parser.ts";
import { accepted, parseBody, promptIds, promptMedia, promptTexts, refusal } from "./test-support/parse.ts";

const MESSAGES = "/v1/messages";
const BAD_CONTENT = "error parsing messages request: anthropic content: must be a string or an array of content blocks";
const user = (content: unknown) => ({ messages: [{ role: "user", content }] });

describe("anthropicParser refuses", () => {
  it.each([
    ["{", "error unmarshaling request body: unexpected end of JSON input"],
    [
      "[]",
      "error unmarshaling request body: json: cannot unmarshal array into Go value of type map[string]interface {}",
    ],
    ["null", "invalid messages request: must have at least one message"],
    [{}, "invalid messages request: must have at least one message"],
    [{ messages: [] }, "invalid messages request: must have at least one message"],
    [
      { messages: "x" },
      "error parsing messages request: json: cannot unmarshal string into Go struct field MessagesRequest.messages of type []requesthandling.AnthropicMessage",
    ],
    [user(5), BAD_CONTENT],
    [user(["x"]), BAD_CONTENT],
    [user([{ type: "text", text: 5 }]), BAD_CONTENT],
    [user([{ type: "image", source: "x" }]), BAD_CONTENT],
    [user([{ type: "tool_result", content: [{ type: "text", text: [] }] }]), BAD_CONTENT],
    [{ ...user("x"), system: 5 }, BAD_CONTENT],
  ])("%j", (body, message) => {
    expect(refusal(parseBody(anthropicParser, MESSAGES, body))).toBe(message);
  });

  it.each([
    { messages: [5] },
    { messages: [{ role: 5 }] },
    { ...user("x"), tools: {} },
    { ...user("x"), cache_salt: 5 },
  ])("with Go's words %j", (body) => {
    const message = refusal(parseBody(anthropicParser, MESSAGES, body));
    expect(message).toMatch(/^error parsing messages request: json: cannot unmarshal /);
  });

  it("a path that only ends like its own, after a look at the JSON", () => {
    expect(refusal(parseBody(anthropicParser, "/v1/my-messages", user("x")))).toBe(
      "unsupported API endpoint: /v1/my-messages",
    );
    expect(refusal(parseBody(anthropicParser, "/v1/my-messages", "{"))).toContain("unexpected end");
  });

  it("content nested 9,000 levels deep by its innermost fault", () => {
    const nested = (core: string) =>
      '{"messages":[{"content":' + '[{"content":'.repeat(4500) + core + "}]".repeat(4500) + "}]}";
    expect(refusal(parseBody(anthropicParser, MESSAGES, nested('"x"')))).toBe("");
    expect(refusal(parseBody(anthropicParser, MESSAGES, nested("5")))).toBe(BAD_CONTENT);
  });
});

describe("anthropicParser takes", () => {
  it.each([
    user("x"),
    user(null),
    { messages: [{ role: "user" }, null] },
    user([]),
    user([null, { type: "new", x: 1 }]),
    { ...user("x"), system: null, tools: null },
  ])("%j", (body) => {
    expect(refusal(parseBody(anthropicParser, MESSAGES, body))).toBe("");
  });

  it("count_tokens as it is and skips its answer", () => {
    const request = accepted(parseBody(anthropicParser, "/v1/messages/count_tokens", "not json"));
    expect(request).toMatchObject({ model: "", rewritable: false, skipResponse: true });
    expect(request.prompts()).toBeUndefined();
  });

  it("model, stream, limit and salt", () => {
    const body = { model: "m", stream: true, max_tokens: 5, cache_salt: "s", ...user("x") };
    expect(accepted(parseBody(anthropicParser, MESSAGES, body))).toMatchObject({
      model: "m",
      stream: true,
      maxOutputTokens: 5,
      cacheSalt: "s",
      rewritable: true,
      skipResponse: false,
    });
  });
});

describe("prompts of messages", () => {
  it.each([
    [user("Hi\n"), "userHi\n"],
    [{ system: "Be kind", ...user("Hi") }, "Be kinduserHi"],
    [
      {
        system: [
          { type: "text", text: "x-anthropic-billing-header: abc" },
          { type: "text", text: "Be kind" },
          { type: "image", text: "no" },
        ],
        ...user([{ type: "text", text: "Hi" }]),
      },
      "Be kinduserHi",
    ],
    [
      { tools: [{ name: "t", description: "<d>" }], ...user("Hi") },
      '[{"description":"\\u003cd\\u003e","name":"t"}]userHi',
    ],
    [
      user([
        { type: "thinking", thinking: "hm" },
        { type: "redacted", text: "no" },
      ]),
      "userhm",
    ],
    [user([{ type: "tool_result", tool_use_id: "t", content: "ok" }]), "userok"],
    [
      user([
        {
          type: "tool_result",
          content: [
            { type: "text", text: "o" },
            { type: "text", text: "k" },
          ],
        },
      ]),
      "usero\nk",
    ],
  ])("%j", (body, text) => {
    expect(promptTexts(parseBody(anthropicParser, MESSAGES, body))).toEqual([text]);
  });

  it("take a tool's input as it stands in the body", () => {
    const body =
      '{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"tu","name":"t","input":{ "b":1, "a":"<x>"}}]}]}';
    expect(promptTexts(parseBody(anthropicParser, MESSAGES, body))).toEqual(['assistanttut{ "b":1, "a":"<x>"}']);
  });

  it("know a picture by its URL or its data, one in a tool's result by a data URL", () => {
    const token = (content: string) => {
      const hash = new Uint32Array(2);
      xxh64(Buffer.from(content), 0, Buffer.from(content).length, hash, 0);
      return hash[0];
    };
    const source = { type: "base64", media_type: "image/png", data: "AAAA" };
    const image = (from: unknown) => ({ type: "image", source: from });
    const first = (content: unknown) => promptIds(parseBody(anthropicParser, MESSAGES, user(content)))[0].slice(1);
    const times = (content: string) => Array<number>(225).fill(token(content));
    expect(first([image(source)])).toEqual(times("AAAA"));
    expect(first([image({ type: "url", url: "http://x" })])).toEqual(times("http://x"));
    expect(first([image(null), image({ type: "url" }), { type: "image" }])).toEqual([]);
    expect(first([{ type: "tool_result", content: [image(source)] }])).toEqual(times("data:image/png;base64,AAAA"));
    expect(first([{ type: "tool_result", content: [image({ data: "AAAA" })] }])).toEqual(
      times("data:image/jpeg;base64,AAAA"),
    );
    const few = { ...DEFAULT_MEDIA, image: { mode: "static", tokens: 2 } } as const;
    expect(promptIds(parseBody(anthropicParser, MESSAGES, user([image(source)]), {}, few))[0]).toHaveLength(3);
    const told = promptMedia(parseBody(anthropicParser, MESSAGES, user([image(source), image(source)])))[0];
    expect(told).toEqual([1, 226].map((offsetTokens) => ({ ...told![0], offsetTokens })));
    expect(told![0]).toMatchObject({ modality: "image", lengthTokens: 225 });
  });
});

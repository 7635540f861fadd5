import { describe, expect, it } from "vitest";
import { openaiParser } from "./openai-parser.ts";
import { accepted, parseBody, refusal } from "./test-support/parse.ts";

const COMPLETIONS = "/v1/completions";
const CHAT = "/v1/chat/completions";
const NO_PROMPT = "invalid completions request: must have prompt field";
const NO_MESSAGES = "invalid chat completions request: must have valid messages field";
const NO_INPUT = "invalid responses request: must have input field";
const NO_EMBEDDING = "invalid embeddings request: must have input field";
const NO_ITEMS = "invalid conversations request: must have items field";
const NO_IMAGE_PROMPT = "invalid images generations request: must have prompt field";
const user = (content: unknown) => ({ messages: [{ role: "user", content }] });

describe("openaiParser refuses", () => {
  it.each([
    ["no healthy upstream", "invalid character 'o' in literal null (expecting 'u')"],
    ["", "unexpected end of JSON input"],
    ['{"model":"m","prompt":"x"} trailing', "invalid character 't' after top-level value"],
    ["[1,2]", "json: cannot unmarshal array into Go value of type map[string]interface {}"],
    ["12", "json: cannot unmarshal number into Go value of type map[string]interface {}"],
    ["true", "json: cannot unmarshal bool into Go value of type map[string]interface {}"],
    ['"text"', "json: cannot unmarshal string into Go value of type map[string]interface {}"],
    ['{"n":1e400,"prompt":"x"}', "json: cannot unmarshal number 1e400 into Go value of type float64"],
    ["[1e400]", "json: cannot unmarshal array into Go value of type map[string]interface {}"],
  ])("the body %j", (body, error) => {
    expect(refusal(parseBody(openaiParser, COMPLETIONS, body))).toBe(`error unmarshaling request bodyMap: ${error}`);
  });

  it.each([
    [COMPLETIONS, "null", NO_PROMPT],
    [COMPLETIONS, {}, NO_PROMPT],
    [COMPLETIONS, { prompt: "" }, NO_PROMPT],
    [COMPLETIONS, { prompt: null }, NO_PROMPT],
    [COMPLETIONS, { prompt: 7 }, NO_PROMPT],
    [COMPLETIONS, { prompt: {} }, NO_PROMPT],
    [COMPLETIONS, { prompt: [] }, NO_PROMPT],
    [COMPLETIONS, { prompt: ["a", 1] }, NO_PROMPT],
    [COMPLETIONS, { prompt: [1, "a"] }, NO_PROMPT],
    [COMPLETIONS, { prompt: [null] }, NO_PROMPT],
    [COMPLETIONS, { prompt: [[1, 2], [3]] }, NO_PROMPT],
    [COMPLETIONS, { prompt: [-1] }, NO_PROMPT],
    [COMPLETIONS, { prompt: [1.5] }, NO_PROMPT],
    [COMPLETIONS, { prompt: [4294967296] }, NO_PROMPT],
    [COMPLETIONS, { prompt: "x", cache_salt: 5 }, NO_PROMPT],
    [COMPLETIONS, { Prompt: "x" }, NO_PROMPT],
    [CHAT, {}, NO_MESSAGES],
    [CHAT, { messages: null }, NO_MESSAGES],
    [CHAT, { messages: [] }, NO_MESSAGES],
    [CHAT, { messages: "hi" }, NO_MESSAGES],
    [CHAT, { messages: ["hi"] }, NO_MESSAGES],
    [CHAT, { messages: [{ role: 5 }] }, NO_MESSAGES],
    [CHAT, { messages: [{ tool_calls: {} }] }, NO_MESSAGES],
    [CHAT, user(5), NO_MESSAGES],
    [CHAT, user({}), NO_MESSAGES],
    [CHAT, user(["a"]), NO_MESSAGES],
    [CHAT, user([{ type: 1 }]), NO_MESSAGES],
    [CHAT, user([{ type: "text", text: 1 }]), NO_MESSAGES],
    [CHAT, user([{ type: "image_url", image_url: "http://x" }]), NO_MESSAGES],
    [CHAT, user([{ type: "image_url", image_url: { url: 1 } }]), NO_MESSAGES],
    [CHAT, user([{ type: "input_audio", input_audio: { data: 1 } }]), NO_MESSAGES],
    [CHAT, { ...user("x"), tools: {} }, NO_MESSAGES],
    [CHAT, { ...user("x"), cache_salt: [] }, NO_MESSAGES],
    [CHAT, { ...user("x"), chat_template: 1 }, NO_MESSAGES],
    [CHAT, { ...user("x"), chat_template_kwargs: [] }, NO_MESSAGES],
    [CHAT, { ...user("x"), add_generation_prompt: "yes" }, NO_MESSAGES],
    [CHAT, { ...user("x"), documents: "d" }, NO_MESSAGES],
    ["/v1/responses", {}, NO_INPUT],
    ["/v1/responses", { input: null }, NO_INPUT],
    ["/v1/responses", { input: "x", cache_salt: 1 }, NO_INPUT],
    ["/v1/embeddings", { input: "" }, NO_EMBEDDING],
    ["/v1/embeddings", { input: ["a", 2] }, NO_EMBEDDING],
    ["/v1/embeddings", { messages: [] }, NO_EMBEDDING],
    ["/v1/conversations", {}, NO_ITEMS],
    ["/v1/conversations", { items: [] }, NO_ITEMS],
    ["/v1/conversations", { items: "x" }, NO_ITEMS],
    ["/v1/conversations", { items: [{ type: 1 }] }, NO_ITEMS],
    ["/v1/conversations", { items: [5] }, NO_ITEMS],
    ["/v1/conversations", { items: [{}], metadata: [] }, NO_ITEMS],
    ["/v1/images/generations", { prompt: "" }, NO_IMAGE_PROMPT],
    ["/v1/images/generations", { prompt: 5 }, NO_IMAGE_PROMPT],
    ["/v1/images/generations", { prompt: ["x"] }, NO_IMAGE_PROMPT],
    ["/v1/images/generations", { prompt: "x", n: "2" }, NO_IMAGE_PROMPT],
    ["/v1/images/generations", { prompt: "x", n: 1.5 }, NO_IMAGE_PROMPT],
    ["/v1/images/generations", { prompt: "x", size: 64 }, NO_IMAGE_PROMPT],
  ])("on %s the body %j", (path, body, message) => {
    expect(refusal(parseBody(openaiParser, path, body))).toBe(message);
  });
});

describe("openaiParser takes", () => {
  it.each([
    [COMPLETIONS, { prompt: [""] }],
    [COMPLETIONS, { prompt: ["a", ""] }],
    [COMPLETIONS, { prompt: [0, 4294967295] }],
    [COMPLETIONS, '{"prompt":[1e2,2.0,-0]}'],
    [COMPLETIONS, { prompt: "x", cache_salt: null, messages: 5 }],
    [COMPLETIONS, '{"prompt":7,"prompt":"x"}'],
    [COMPLETIONS, ' \n\t{"prompt":"\\ud800"}\n '],
    [CHAT, { messages: [null] }],
    [CHAT, { messages: [{}] }],
    [CHAT, { messages: [{ role: null, content: null, tool_calls: null }] }],
    [CHAT, user([])],
    [CHAT, user([null, { type: "unknown", x: 1 }, { type: "image_url" }, { type: "text" }])],
    [CHAT, { ...user("x"), tools: null, documents: [], chat_template: "t", add_generation_prompt: true }],
    ["/v1/responses", { input: 5 }],
    ["/v1/responses", { input: [], instructions: 5 }],
    ["/v1/embeddings", { input: ["a"] }],
    ["/v1/conversations", { items: [null, {}, { type: "message", content: 5 }], metadata: {} }],
    ["/v1/images/generations", { prompt: "x", n: 2, size: "64x64", num_inference_steps: null }],
  ])("on %s the body %j", (path, body) => {
    expect(refusal(parseBody(openaiParser, path, body))).toBe("");
  });

  it("strings that are no UTF-8", () => {
    const body = Buffer.from('{"model":"m\xff","prompt":"\xff"}', "latin1");
    expect(accepted(parseBody(openaiParser, COMPLETIONS, body)).model).toBe("m\ufffd");
  });
});

describe("openaiParser reads the API from the path", () => {
  it.each([
    ["/v1/chat/completions/render", NO_MESSAGES],
    ["/v1/chat/completions/", NO_MESSAGES],
    ["/openai/deployments/d/chat/completions", NO_MESSAGES],
    ["/v1/completions/render", NO_PROMPT],
    ["/foo-completions", NO_PROMPT],
    ["/v1/embeddings", NO_EMBEDDING],
    ["/v1/responses", NO_INPUT],
    ["/v1/conversations", NO_ITEMS],
    ["/v1/images/generations", NO_IMAGE_PROMPT],
    ["/anything", NO_PROMPT],
    ["", NO_PROMPT],
  ])("%s", (path, message) => {
    expect(refusal(parseBody(openaiParser, path, {}))).toBe(message);
  });
});

describe("openaiParser finds", () => {
  it.each([
    [{ model: "a/b" }, "a/b"],
    [{ model: "\ufeffm" }, "\ufeffm"],
    [{ model: 7 }, ""],
    [{ model: null }, ""],
    [{ Model: "m" }, ""],
    [{}, ""],
    ['{"model":"a","prompt":"x","mod\\u0065l":"b\\n"}', "b\n"],
  ])("the model in %j", (body, model) => {
    const whole = typeof body === "string" ? body : { ...body, prompt: "x" };
    expect(accepted(parseBody(openaiParser, COMPLETIONS, whole)).model).toBe(model);
  });

  it.each([
    [true, true],
    [false, false],
    ["true", false],
    [1, false],
    [null, false],
  ])("stream %j: %s", (stream, found) => {
    expect(accepted(parseBody(openaiParser, COMPLETIONS, { prompt: "x", stream })).stream).toBe(found);
  });

  it.each([
    [COMPLETIONS, { prompt: "x", max_tokens: 7 }, 7],
    [COMPLETIONS, { prompt: "x", max_tokens: 0 }, 0],
    [COMPLETIONS, { prompt: "x", max_tokens: -5 }, -1],
    [COMPLETIONS, { prompt: "x", max_tokens: 2.5 }, -1],
    [COMPLETIONS, { prompt: "x", max_tokens: "7" }, -1],
    [COMPLETIONS, { prompt: "x", max_completion_tokens: 7 }, -1],
    [COMPLETIONS, '{"prompt":"x","max_tokens":1e2}', 100],
    [COMPLETIONS, '{"prompt":"x","max_tokens":1e300}', Number.MAX_SAFE_INTEGER],
    [CHAT, { ...user("x"), max_completion_tokens: 5, max_tokens: 6 }, 5],
    [CHAT, { ...user("x"), max_completion_tokens: null, max_tokens: 6 }, 6],
    [CHAT, { ...user("x"), max_completion_tokens: -1, max_tokens: 6 }, 6],
    ["/v1/responses", { input: "x", max_output_tokens: 9, max_tokens: 8 }, 9],
    ["/v1/embeddings", { input: "x", max_tokens: 9 }, -1],
    ["/v1/conversations", { items: [{}], max_tokens: 9 }, -1],
  ])("the output limit on %s in %j", (path, body, limit) => {
    expect(accepted(parseBody(openaiParser, path, body)).maxOutputTokens).toBe(limit);
  });

  it.each([
    [COMPLETIONS, { prompt: "x" }],
    [CHAT, user("x")],
    ["/v1/responses", { input: "x" }],
    ["/v1/embeddings", { input: "x" }],
    ["/v1/conversations", { items: [{}] }],
  ])("the cache salt on %s", (path, body) => {
    expect(accepted(parseBody(openaiParser, path, { ...body, cache_salt: "salt é" })).cacheSalt).toBe("salt é");
    expect(accepted(parseBody(openaiParser, path, body)).cacheSalt).toBe("");
  });
});

describe("openaiParser under damage", () => {
  const body = Buffer.from(
    JSON.stringify({ model: "m", ...user([{ type: "text", text: "é \n <b>" }]), max_tokens: 5 }),
  );

  it("never throws on a body cut at any byte", () => {
    for (let length = 0; length < body.length; length++) {
      expect(refusal(parseBody(openaiParser, CHAT, body.subarray(0, length)))).toContain(
        "error unmarshaling request bodyMap: ",
      );
    }
  });

  it("never throws on a body with any one byte changed", () => {
    for (let at = 0; at < body.length; at++) {
      for (const byte of [0, 0x22, 0x2c, 0x5c, 0x5d, 0x7d, 0x80, 0xff]) {
        const damaged = Buffer.from(body);
        damaged[at] = byte;
        const result = parseBody(openaiParser, CHAT, damaged);
        if (result.ok) expect(result.prompts()).toHaveLength(1);
      }
    }
  });
});

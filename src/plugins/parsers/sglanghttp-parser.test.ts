import { describe, expect, it } from "vitest";
import { sglanghttpParser } from "./sglanghttp-parser.ts";
import { createSglangUsageReader } from "./sglanghttp-usage.ts";
import { accepted, parseBody, promptIds, refusal } from "./test-support/parse.ts";

const generate = (body: unknown, path = "/generate") => parseBody(sglanghttpParser, path, body);

describe("sglanghttp-parser", () => {
  it("reads token ids, the extra key as salt, the limit and whether it streams; no model", () => {
    const sampling_params = { max_new_tokens: 5 };
    const body = { model: "m", input_ids: [1, 2, 4_294_967_295], extra_key: "s", sampling_params, stream: true };
    const parsed = generate(body);
    const facts = { model: "", cacheSalt: "s", maxOutputTokens: 5, stream: true, rewritable: false };
    expect(accepted(parsed)).toMatchObject({ ...facts, skipResponse: false });
    expect(promptIds(parsed)).toEqual([[1, 2, 4_294_967_295]]);
  });

  it("takes null for a token id of 0 and for what is absent", () => {
    const parsed = generate('{"input_ids":[null,7],"extra_key":null,"sampling_params":null,"stream":null}');
    expect(promptIds(parsed)).toEqual([[0, 7]]);
    expect(accepted(parsed)).toMatchObject({ cacheSalt: "", maxOutputTokens: -1, stream: false });
  });

  it.each([["-1"], ["5.0"], ["1e2"], ['"5"'], ["null"], ["[5]"]])("takes a limit of %s for none", (limit) => {
    const parsed = generate(`{"input_ids":[1],"sampling_params":{"max_new_tokens":${limit}}}`);
    expect(accepted(parsed).maxOutputTokens).toBe(-1);
  });

  it.each(["/generate", "/generate/", "generate"])("takes the path %s", (path) => {
    expect(generate({ input_ids: [1] }, path).ok).toBe(true);
  });

  it("refuses other paths that end so", () => {
    expect(refusal(generate({ input_ids: [1] }, "/v1/generate/"))).toBe("unsupported path: /v1/generate");
  });

  const notIds = "invalid generate request: input_ids must be an array of uint32 integers";
  it.each([
    ["", "invalid generate request: unexpected end of JSON input"],
    ["[1]", "invalid generate request: json: cannot unmarshal array into Go value of type map[string]interface {}"],
    ["null", "invalid generate request: input_ids must be provided"],
    ["{}", "invalid generate request: input_ids must be provided"],
    ['{"input_ids":null}', "invalid generate request: input_ids must be provided"],
    ['{"input_ids":[]}', "invalid generate request: input_ids cannot be empty"],
    ['{"input_ids":"1"}', notIds],
    ['{"input_ids":[1.0]}', notIds],
    ['{"input_ids":[1e1]}', notIds],
    ['{"input_ids":[-0]}', notIds],
    ['{"input_ids":[4294967296]}', notIds],
    ['{"input_ids":[[1]]}', notIds],
    ['{"input_ids":[1],"extra_key":5}', "unsupported generate request: extra_key must be a string"],
    [
      '{"input_ids":[1],"stream":"yes"}',
      "invalid generate request: json: cannot unmarshal string into Go struct field .stream of type bool",
    ],
  ])("refuses %s", (body, message) => {
    expect(refusal(generate(body))).toBe(message);
  });

  it("passes numbers that it does not read, however big", () => {
    expect(generate('{"input_ids":[1],"sampling_params":{"top_p":1e400}}').ok).toBe(true);
  });
});

describe("usage of SGLang's answers", () => {
  const event = (value: object) => `data: ${JSON.stringify(value)}\n\n`;
  const counted = (finish_reason: unknown, completion_tokens: number) => ({
    text: "x",
    meta_info: { id: "a", finish_reason, prompt_tokens: 12, completion_tokens, cached_tokens: 4 },
  });
  const stop = { type: "stop", matched: 2 };

  it.each([
    ["counts", counted(stop, 3), { promptTokens: 12, completionTokens: 3, cachedTokens: 4 }],
    ["one count", { meta_info: { prompt_tokens: 1 } }, { promptTokens: 1, completionTokens: -1, cachedTokens: -1 }],
    ["no counts", { meta_info: { id: "a" } }, undefined],
    ["text for counts", { meta_info: { prompt_tokens: "1" } }, undefined],
    ["no object", [counted(stop, 3)], undefined],
  ])("reads an answer with %s", (_, answer, usage) => {
    const reader = createSglangUsageReader(false);
    reader.push(Buffer.from(JSON.stringify(answer)), true);
    expect(reader.usage()).toEqual(usage);
  });

  it("reads the event that ends the stream, wherever it is cut", () => {
    const text = event(counted(null, 1)) + event(counted(null, 2)) + event(counted(stop, 3)) + "data: [DONE]\n\n";
    const bytes = Buffer.from(text);
    for (let cut = 0; cut < bytes.length; cut++) {
      const reader = createSglangUsageReader(true);
      reader.push(bytes.subarray(0, cut), false);
      reader.push(bytes.subarray(cut), true);
      expect(reader.usage()).toEqual({ promptTokens: 12, completionTokens: 3, cachedTokens: 4 });
    }
  });

  it("knows none before the stream has ended", () => {
    const reader = createSglangUsageReader(true);
    reader.push(Buffer.from(event(counted(null, 1))), false);
    expect(reader.usage()).toBeUndefined();
  });
});

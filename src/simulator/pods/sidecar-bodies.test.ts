import { describe, expect, it } from "vitest";
import {
  decodeBody,
  encodeBody,
  isHostPort,
  mediaParts,
  parseFields,
  prefillBody,
  readPrefillAnswer,
  targetsOf,
  withCachedTokens,
} from "./sidecar-bodies.ts";

const image = (url: string): object => ({ type: "image_url", image_url: { url } });
const sound = (data: string): object => ({ type: "input_audio", input_audio: { data } });

const ASKED = {
  do_remote_decode: true,
  do_remote_prefill: false,
  remote_engine_id: null,
  remote_block_ids: null,
  remote_host: null,
  remote_port: null,
};

describe("the prefill pod's request", () => {
  it.each([
    [{ prompt: "x" }, { prompt: "x", stream: false, max_tokens: 1 }],
    [
      { model: "m", messages: [{ role: "user" }], max_completion_tokens: 50, stream: true, stream_options: { a: 1 } },
      { model: "m", messages: [{ role: "user" }], max_completion_tokens: 1, stream: false, max_tokens: 1 },
    ],
    [
      { prompt: "x", min_tokens: 7, max_tokens: 9, kv_transfer_params: 3 },
      { prompt: "x", stream: false, max_tokens: 1 },
    ],
  ])("of %j is for one token, not streamed, its blocks held", (fields, expected) => {
    expect(JSON.parse(prefillBody(fields))).toEqual({ ...expected, kv_transfer_params: ASKED });
  });
});

describe("the encode pod's request", () => {
  it("is for one item alone", () => {
    const item = { type: "image_url", image_url: { url: "http://a" } };
    expect(JSON.parse(encodeBody({ model: "m", messages: [1, 2], stream: true }, item))).toEqual({
      model: "m",
      messages: [{ role: "user", content: [item] }],
      stream: false,
      max_tokens: 1,
    });
  });

  it.each([
    [undefined, 0],
    ["text", 0],
    [[null, 7, { content: "text" }, { content: [null, { type: "text", text: "x" }] }], 0],
    [[{ content: [image("a"), image("b"), image("a")] }, { content: [image("b"), image("c")] }], 3],
    [[{ content: [sound("x"), sound("x"), { type: "image_url" }] }], 3],
  ])("is made for each item of %j once", (messages, count) => {
    expect(mediaParts({ messages })).toHaveLength(count);
  });
});

describe("the decode pod's request", () => {
  it("is the client's with what the prefill pod said, in the order of its keys", () => {
    expect(decodeBody({ b: 1, a: { d: 1, c: 2 } }, { x: 1 })).toBe(
      '{"b":1,"a":{"d":1,"c":2},"kv_transfer_params":{"x":1}}',
    );
  });
});

describe("a prefill pod's answer", () => {
  it.each([
    ['{"kv_transfer_params": {"a": 1}, "usage": {"prompt_tokens_details": {"cached_tokens": 7}}}', { a: 1 }, 7],
    ['{"usage": {"prompt_tokens_details": null}}', null, 0],
    ['{"usage": {"prompt_tokens_details": {"cached_tokens": "7"}}}', null, 0],
    ["{}", null, 0],
  ])("%s is read", (text, kvTransferParams, cachedTokens) => {
    expect(readPrefillAnswer(text)).toEqual({ kvTransferParams, cachedTokens, ecTransferParams: undefined });
  });

  it.each(["", "[]", "null", "7", "{"])("%j is none", (text) => {
    expect([readPrefillAnswer(text), parseFields(text)]).toEqual([undefined, undefined]);
  });
});

describe("a target", () => {
  it.each([
    [undefined, []],
    [[""], []],
    [[" ,"], []],
    [["a:1"], ["a:1"]],
    [[" a:1 , b:2"], ["a:1", "b:2"]],
    [
      ["a:1", "b:2"],
      ["a:1", "b:2"],
    ],
  ])("of %j is %j", (values, targets) => {
    expect(targetsOf(values)).toEqual(targets);
  });

  it.each([
    ["10.0.0.1:8000", true],
    ["pod-0.ns.svc:80", true],
    ["[::1]:8000", true],
    ["10.0.0.1", false],
    ["10.0.0.1:0", false],
    ["10.0.0.1:70000", false],
    [":8000", false],
    ["::1:8000", false],
    ["user@host:80", false],
    ["host/path:80", false],
    ["http://host:80", false],
  ])("%s: %s", (target, fine) => {
    expect(isHostPort(target)).toBe(fine);
  });
});

describe("cached tokens in an answer", () => {
  it.each([
    [
      '{"usage":{"prompt_tokens_details":{"cached_tokens":9}}}',
      '{"usage":{"prompt_tokens_details":{"cached_tokens":4}}}',
    ],
    [
      'data: {"usage":{"prompt_tokens_details": {"a":1,"cached_tokens": 96,"b":null}},"sim":{"cached_tokens":1}}\n',
      'data: {"usage":{"prompt_tokens_details": {"a":1,"cached_tokens": 4,"b":null}},"sim":{"cached_tokens":1}}\n',
    ],
    ['{"usage":{"prompt_tokens_details":null}}', '{"usage":{"prompt_tokens_details":null}}'],
    [
      JSON.stringify({ text: '"prompt_tokens_details":{"cached_tokens":9}' }),
      JSON.stringify({ text: '"prompt_tokens_details":{"cached_tokens":9}' }),
    ],
  ])("%s become %s", (line, changed) => {
    expect(withCachedTokens(line, 4)).toBe(changed);
  });
});

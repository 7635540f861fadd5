import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Usage } from "../../core/parser.ts";
import { createAnthropicUsageReader } from "./anthropic-usage.ts";
import { PICKED_BYTES_MAX } from "./json-picker.ts";
import { createOpenAiUsageReader } from "./openai-usage.ts";
import type { UsageReader } from "./usage-reader.ts";

const usage = (promptTokens: number, completionTokens: number, cachedTokens = -1): Usage => ({
  promptTokens,
  completionTokens,
  cachedTokens,
});

/** Pushes the chunks, the last one as the end, and tells the usage. */
function read(reader: UsageReader, ...chunks: readonly (string | Uint8Array)[]): Usage | undefined {
  for (const [i, chunk] of chunks.entries()) {
    reader.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk, i === chunks.length - 1);
  }
  return reader.usage();
}

/** All ways to cut a text in two, and in single bytes. */
function* cuts(text: string): Generator<Uint8Array[]> {
  const bytes = Buffer.from(text);
  for (let at = 0; at <= bytes.length; at++) yield [bytes.subarray(0, at), bytes.subarray(at)];
  yield Array.from(bytes, (byte) => Uint8Array.of(byte));
}

describe("usage from an OpenAI body", () => {
  it.each([
    ['{"usage":{"prompt_tokens":5,"completion_tokens":6,"total_tokens":11}}', usage(5, 6)],
    ['{"usage":{"input_tokens":5,"output_tokens":6,"input_tokens_details":{"cached_tokens":2}}}', usage(5, 6, 2)],
    ['{"usage":{"prompt_tokens":5,"prompt_tokens_details":{"cached_tokens":3}}}', usage(5, -1, 3)],
    ['{"usage":{"prompt_tokens":"5","completion_tokens":"6.9"}}', usage(5, 6)],
    ['{"usage":{"prompt_tokens":null,"input_tokens":7,"prompt_tokens_details":null}}', usage(7, -1)],
    ['{"usage":{"prompt_tokens":1e308,"completion_tokens":-1}}', usage(-1, -1)],
    ['{"usage":{"prompt_tokens":1e999,"completion_tokens":true}}', usage(-1, -1)],
    ['{"usage":{}}', usage(-1, -1)],
    ['{"usage":null}', undefined],
    ['{"usage":[1]}', undefined],
    ['{"usage":5}', undefined],
    ['{"choices":[{"usage":{"prompt_tokens":1}}]}', undefined],
    ['{"choices":[{"text":"\\"usage\\":{\\"prompt_tokens\\":1}"}],"usage":{"prompt_tokens":2}}', usage(2, -1)],
    ['{"usage":{"prompt_tokens":1},"usage":{"prompt_tokens":2}}', usage(2, -1)],
    ['{"meta_info":{"prompt_tokens":5}}', undefined],
    ["not json", undefined],
    ['{"usage":{"prompt_tokens":1}', undefined],
    ['{"usage":{"prompt_tokens":1}} {}', undefined],
    ['[{"usage":{"prompt_tokens":1}}]', undefined],
    ["", undefined],
  ])("%s", (body, expected) => {
    for (const chunks of cuts(body)) expect(read(createOpenAiUsageReader(false), ...chunks)).toEqual(expected);
  });

  it("is told by the push that completed it", () => {
    const reader = createOpenAiUsageReader(false);
    expect(reader.push(Buffer.from('{"usage":{"prompt_tokens":1'), false)).toBeUndefined();
    expect(reader.push(Buffer.from("}}"), false)).toBeUndefined();
    expect(reader.push(new Uint8Array(0), true)).toEqual(usage(1, -1));
  });

  it("is found behind 10 MB without keeping them, and a usage of 10 MB counts as none", () => {
    const megabyte = Buffer.alloc(1 << 20, "x");
    const ten = Array<Buffer>(10).fill(megabyte);
    const behind = ['{"choices":[{"text":"', ...ten, '"}],"usage":{"prompt_tokens":4}}'];
    expect(read(createOpenAiUsageReader(false), ...behind)).toEqual(usage(4, -1));
    const huge = ['{"usage":{"prompt_tokens":4,"x":"', ...ten, '"}}'];
    expect(read(createOpenAiUsageReader(false), ...huge)).toBeUndefined();
    const fits = `{"usage":{"prompt_tokens":4,"x":"${"y".repeat(PICKED_BYTES_MAX - 100)}"}}`;
    expect(read(createOpenAiUsageReader(false), fits)).toEqual(usage(4, -1));
  });
});

describe("usage from an OpenAI stream", () => {
  const text = 'data: {"id":"x","choices":[{"text":"usage\\""}]}\n\n';
  const last =
    'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":8,"prompt_tokens_details":{"cached_tokens":1}}}\n\n';
  const done = "data: [DONE]\n\n";

  it.each([
    [text + last + done, usage(7, 8, 1)],
    [text + last.replaceAll("\n", "\r\n") + done, usage(7, 8, 1)],
    [last.trimEnd(), usage(7, 8, 1)],
    ['data: {"id":"x","usage":null}\n\n' + text + done, undefined],
    [
      'data: {"usage":{"prompt_tokens":1}}\n\ndata: {"usage":{"prompt_tokens":2,"completion_tokens":3}}\n\n',
      usage(2, 3),
    ],
    ['data:{"usage":{"prompt_tokens":1}}\n\n', undefined],
    [' data: {"usage":{"prompt_tokens":1}}\n\n', undefined],
    [
      'event: usage"\ndata: {"type":"response.completed","response":{"usage":{"input_tokens":3,"output_tokens":4}}}\n\n',
      usage(3, 4),
    ],
    [
      'data: {"response":{"output":[{"usage":{"input_tokens":9}}],"usage":{"input_tokens":3}},"type":"response.completed"}\n',
      usage(3, -1),
    ],
    ['data: {"type":"response.created","response":{"usage":{"input_tokens":3}}}\n\n', undefined],
    ['data: {"usage":{"prompt_tokens":1}\n\ndata: x"usage"\n\n', undefined],
  ])("%j", (stream, expected) => {
    for (const chunks of cuts(stream)) expect(read(createOpenAiUsageReader(true), ...chunks)).toEqual(expected);
  });

  it("is looked for in single chunks only when told so, as in the stock EPP", () => {
    const cut = ['data: {"usage":{"pro', 'mpt_tokens":284,"completion_tokens":15}}\n\n', ""];
    expect(read(createOpenAiUsageReader(true, true), ...cut)).toEqual(usage(284, 15));
    expect(read(createOpenAiUsageReader(true, false), ...cut)).toBeUndefined();
    expect(read(createOpenAiUsageReader(true, false), text, last + done, "")).toEqual(usage(7, 8, 1));
    expect(read(createOpenAiUsageReader(true, false), last.trimEnd(), "\n\n")).toEqual(usage(7, 8, 1));
  });

  it("tells what each push carried", () => {
    const reader = createOpenAiUsageReader(true);
    const push = (chunk: string) => reader.push(Buffer.from(chunk), false);
    expect(push('data: {"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n')).toEqual(usage(1, 1));
    expect(push(text)).toBeUndefined();
    expect(push('data: {"usage":{"completion_tokens":2}}\n\n')).toEqual(usage(-1, 2));
    expect(reader.usage()).toEqual(usage(1, 2));
  });

  it("does not depend on how the stream is cut", () => {
    const stream = Buffer.from(text.repeat(3) + "event: x\n: comment\n" + text + last + done + "\n");
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 12 }), (at) => {
        const marks = [0, ...at, stream.length].sort((a, b) => a - b);
        const chunks = marks.slice(1).map((end, i) => stream.subarray(marks[i], end));
        expect(read(createOpenAiUsageReader(true), ...chunks)).toEqual(usage(7, 8, 1));
      }),
    );
  });

  it("is found behind an event of 10 MB and a line that never ends", () => {
    const megabyte = Buffer.alloc(1 << 20, "z");
    const ten = Array<Buffer>(10).fill(megabyte);
    const completed = [
      'data: {"response":{"output":"',
      ...ten,
      '","usage":{"input_tokens":5}},"type":"response.completed"}\n\n',
    ];
    expect(read(createOpenAiUsageReader(true), ...completed)).toEqual(usage(5, -1));
    expect(read(createOpenAiUsageReader(true), "data: ", ...ten)).toBeUndefined();
  });
});

describe("usage from an answer that never ends", () => {
  const told = 'data: {"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n';

  it.each([
    ["small events", 'data: {"choices":[{"text":"x"}],"usage":null}\n\n'],
    ["comments", ": ping\n\n"],
    ["one line", "data: x"],
    ["brackets", "data: [{"],
    ["a key", 'data: {"usage'],
    ["a usage", 'data: {"usage":{"prompt_tokens":9,"x":["y",{'],
    ["line feeds", "\n"],
    ["bytes that are no text", "\u0000\u00ff"],
  ])("is what its events have told so far, behind 2 MB of %s", (_, text) => {
    const reader = createOpenAiUsageReader(true);
    reader.push(Buffer.from(told), false);
    const piece = Buffer.from(text.repeat(Math.ceil((1 << 18) / text.length)));
    for (let i = 0; i < 8; i++) reader.push(piece, false);
    expect(reader.usage()).toEqual(usage(1, 2));
  });

  it("is not known of a body that has not ended", () => {
    const reader = createOpenAiUsageReader(false);
    reader.push(Buffer.from('{"usage":{"prompt_tokens":1},"text":"'), false);
    for (let i = 0; i < 8; i++) reader.push(Buffer.alloc(1 << 18, '\\"'), false);
    expect(reader.usage()).toBeUndefined();
  });
});

describe("usage from Anthropic's API", () => {
  const start =
    'event: message_start\ndata: {"type":"message_start","message":{"id":"msg","usage":{"input_tokens":12,"cache_read_input_tokens":3,"output_tokens":1}}}\n\n';
  const delta = 'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":7}}\n\n';
  const stop = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';

  it("is merged from the events of a stream, however it is cut", () => {
    for (const chunks of cuts(start + delta + stop)) {
      expect(read(createAnthropicUsageReader(true), ...chunks)).toEqual(usage(12, 7, 3));
    }
  });

  it("has the cached tokens that vLLM tells at the end", () => {
    const told = delta.replace('"output_tokens":7', '"input_tokens":14,"output_tokens":7,"cache_read_input_tokens":8');
    const begun = start.replace('"cache_read_input_tokens":3,', "");
    expect(read(createAnthropicUsageReader(true), begun, told, stop)).toEqual(usage(12, 7, 8));
  });

  it.each([
    ['{"usage":{"input_tokens":12,"output_tokens":7,"cache_read_input_tokens":4}}', usage(12, 7, 4)],
    ['{"usage":{"input_tokens":"12","output_tokens":7}}', usage(-1, 7)],
    ['{"usage":null}', undefined],
    ["not json", undefined],
  ])("of the body %s", (body, expected) => {
    for (const chunks of cuts(body)) expect(read(createAnthropicUsageReader(false), ...chunks)).toEqual(expected);
  });
});

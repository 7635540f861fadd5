import { readdirSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Usage } from "../../src/core/parser.ts";
import { anthropicParser } from "../../src/plugins/parsers/anthropic-parser.ts";
import { openaiParser } from "../../src/plugins/parsers/openai-parser.ts";
import { passthroughParser } from "../../src/plugins/parsers/passthrough-parser.ts";
import { createParserTable } from "../../src/plugins/parsers/resolve-parser.ts";
import { vllmhttpParser } from "../../src/plugins/parsers/vllmhttp-parser.ts";
import { capturedRequest, capturedResponse } from "../../src/simulator/test-support/captures.ts";
import type { Case, Step } from "./cases.ts";
import { samplesOf } from "./metrics-page.ts";
import { play } from "./player.ts";

const SEED = 20_260_726;
/** What vLLM itself counted in each captured answer: prompt, completion, cached (-1: it does not say). */
const COUNTED: Readonly<Record<string, readonly [number, number, number]>> = {
  "http/chat-nonstream": [171, 8, -1],
  "http/chat-stream-continuous-usage": [174, 6, -1],
  "http/chat-stream-usage": [171, 12, -1],
  "http/completions-nonstream": [149, 8, -1],
  "http/completions-stream-usage": [149, 12, -1],
  "http/completions-token-ids": [8, 4, -1],
  "http-0.20.0/chat-stream-usage": [171, 12, -1],
  "http-0.20.0/completions-stream-usage": [149, 12, -1],
  "http-lora/chat-lora-stream": [136, 40, 0],
  "http-lora/chat-nonstream-cached": [136, 6, 128],
  "http-lora/chat-stream-cached-1": [136, 6, 0],
  "http-lora/chat-stream-cached-2": [136, 6, 128],
  "http-lora/completions-cache-salt": [114, 4, 0],
  "http-lora/completions-n2-logprobs": [3, 6, 0],
  "http-lora/messages-stream": [14, 8, 0],
  "http-lora/responses-stream": [14, 16, 0],
};
/** Answers to requests for tokens that count none: errors, and a stream whose client did not ask for usage. */
const UNCOUNTED = [
  "http/chat-stream-nousage",
  "http/error-bad-json",
  "http/error-context-length",
  "http/error-unknown-model",
];

const usageOf = ([promptTokens, completionTokens, cachedTokens]: readonly [number, number, number]): Usage => ({
  promptTokens,
  completionTokens,
  cachedTokens,
});
const EXPECTED = [
  ...Object.entries(COUNTED).map(([name, counts]) => [name, usageOf(counts)] as const),
  ...UNCOUNTED.map((name) => [name, undefined] as const),
];

const table = createParserTable([openaiParser, anthropicParser, vllmhttpParser, passthroughParser]);

/** Usage that the parser of the captured request reads from these pieces of its answer. */
function read(name: string, pieces: readonly Uint8Array[]): Usage | undefined {
  const isEvents = (capturedResponse(name).headers["content-type"] ?? "").startsWith("text/event-stream");
  const reader = table.resolve(capturedRequest(name).path)!.createResponseReader!(isEvents);
  for (const [i, piece] of pieces.entries()) reader.push(piece, i + 1 === pieces.length);
  return reader.usage();
}

function cut(bytes: Buffer, at: readonly number[]): readonly Buffer[] {
  const ends = [...at.toSorted((a, b) => a - b), bytes.length];
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

const POD = { name: "pod", address: "10.0.0.1", port: "8000" };
const CONFIG = `
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: queue-scorer
- {type: file-discovery, parameters: {path: "{endpoints}"}}
schedulingProfiles:
- {name: default, plugins: [{pluginRef: queue-scorer}]}
dataLayer: {discovery: {pluginRef: file-discovery}}
`;

/** The metrics page after one exchange through codec, machine, parsers and core. */
async function pageAfter(
  request: { readonly path: string; readonly body: string },
  headers: Readonly<Record<string, string>>,
  pieces: readonly Buffer[],
): Promise<string> {
  const message = (sent: NonNullable<Step["message"]>): Step => ({ send: "r", message: sent });
  const pairs = (values: Readonly<Record<string, string>>) => ({ headers: Object.entries(values) });
  const steps: Step[] = [
    message({ request_headers: pairs({ ":method": "POST", ":path": request.path }) }),
    message({ request_body: { body: request.body, end_of_stream: true } }),
    message({ response_headers: pairs({ ":status": "200", ...headers }) }),
    ...pieces.map((piece, i) =>
      message({
        response_body: { body: { base64: piece.toString("base64") }, end_of_stream: i + 1 === pieces.length },
      }),
    ),
  ];
  const testCase: Case = { id: "answer", family: "answers", config: CONFIG, endpoints: [POD], steps };
  return play(testCase, "splice").metrics.metrics();
}

/** Sums of the token families on a page, by the end of their names. */
function tokensOn(page: string): Readonly<Record<string, number>> {
  const sums = [...samplesOf(page)].flatMap(([series, value]) => {
    const name = /^llm_d_epp_request_(input|output|cached)_tokens_sum\{/.exec(series)?.[1];
    return name === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(sums);
}

describe("answers of a real vLLM", () => {
  it("are all here that a request for tokens got", () => {
    const folders = ["http", "http-lora", "http-0.20.0"];
    const names = folders.flatMap((folder) =>
      readdirSync(new URL(`../captures/vllm/${folder}`, import.meta.url))
        .filter((file) => file.includes(".request.http"))
        .map((file) => `${folder}/${file.slice(0, file.indexOf("."))}`)
        .filter((name) => table.resolve(capturedRequest(name).path)?.claims.length),
    );
    expect(names.toSorted()).toEqual(EXPECTED.map(([name]) => name).toSorted());
  });

  it.each(EXPECTED)("%s gives the counts that vLLM told, wherever it is cut", (name, usage) => {
    const bytes = Buffer.from(capturedResponse(name).body);
    expect(read(name, [bytes])).toEqual(usage);
    for (let at = 0; at <= bytes.length; at++) expect(read(name, cut(bytes, [at]))).toEqual(usage);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 40 }), (at) => {
        expect(read(name, cut(bytes, at))).toEqual(usage);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  it.each(Object.entries(COUNTED))("%s shows them on the metrics page", async (name, [input, output, cached]) => {
    const { headers, body } = capturedResponse(name);
    const bytes = Buffer.from(body);
    const expected = { input, output, ...(cached >= 0 && { cached }) };
    for (const at of [
      [],
      [bytes.length >> 1],
      fc.sample(fc.array(fc.nat(bytes.length)), { seed: SEED, numRuns: 1 })[0],
    ]) {
      const page = await pageAfter(capturedRequest(name), headers, cut(bytes, at));
      expect(tokensOn(page)).toEqual(expected);
    }
  });
});

describe("answers that count beyond all bounds", () => {
  const completions = { path: "/v1/completions", body: '{"model":"m","prompt":"x","stream":true}' };
  const huge = ["1e308", "1".padEnd(309, "0"), '"1e308"', "1e400", "-1e308", "9007199254740993", '"Infinity"', "NaN"];

  it.each(huge)("leave a metrics page of finite numbers: %s", async (count) => {
    const usage = `{"usage":{"prompt_tokens":${count},"completion_tokens":${count},"prompt_tokens_details":{"cached_tokens":${count}}}}`;
    for (const [type, body] of [
      ["application/json", usage],
      ["text/event-stream", `data: ${usage}\n\ndata: [DONE]\n\n`],
    ]) {
      const page = await pageAfter(completions, { "content-type": type }, [Buffer.from(body)]);
      expect(tokensOn(page)).toEqual({});
      for (const [series, value] of samplesOf(page)) expect(value, series).toBeLessThan(1e6);
    }
  });
});

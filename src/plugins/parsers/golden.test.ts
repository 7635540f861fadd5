import { describe, expect, it } from "vitest";
import type { Parser } from "../../core/parser.ts";
import { anthropicParser } from "./anthropic-parser.ts";
import { createAnthropicUsageReader } from "./anthropic-usage.ts";
import { openaiParser } from "./openai-parser.ts";
import { createOpenAiUsageReader } from "./openai-usage.ts";
import { passthroughParser } from "./passthrough-parser.ts";
import { createParserTable, noParserMessage, requestPath, type ParserTable } from "./resolve-parser.ts";
import { sglanghttpParser } from "./sglanghttp-parser.ts";
import { createSglangUsageReader } from "./sglanghttp-usage.ts";
import { goldenCases, isAnswered, type Exchange } from "./test-support/golden.ts";
import { vertexaiParser } from "./vertexai-parser.ts";
import { createVertexUsageReader } from "./vertexai-usage.ts";
import { vllmgrpcParser } from "./vllmgrpc-parser.ts";
import { createVllmGrpcUsageReader } from "./vllmgrpc-usage.ts";
import { vllmhttpParser } from "./vllmhttp-parser.ts";

const DEFAULT = [openaiParser, anthropicParser, vllmhttpParser, passthroughParser];
const ALL = [...DEFAULT, sglanghttpParser, vllmgrpcParser, vertexaiParser];
const USAGE_READERS: Readonly<Record<string, typeof createOpenAiUsageReader>> = {
  "anthropic-parser": createAnthropicUsageReader,
  "sglanghttp-parser": createSglangUsageReader,
  "vllmgrpc-parser": createVllmGrpcUsageReader,
  "vertexai-parser": createVertexUsageReader,
};
const FAMILIES = ["parsers", "protocol", "default", "prefix"];
/** Texts of the Go runtime go on behind these; they are compared up to there (see the recordings' README). */
const GO_TEXT =
  /^(inference error: BadRequest - (?:error unmarshaling request bodyMap: |error unmarshaling request body: |error parsing messages request: |invalid generate request: )?)(?:json: |invalid character |unexpected end of JSON)/;

/** The parsers of a case's config, in order; the stock default list without any. */
function parsersOf(config: string): readonly Parser[] {
  const listed = [...config.matchAll(/pluginRef: (\S+-parser)/g)].map(([, type]) => type);
  if (listed.length === 0) return DEFAULT;
  return listed.map((type) => {
    const parser = ALL.find((built) => built.type === type);
    if (parser === undefined) throw new Error(`unknown parser ${type}`);
    return parser;
  });
}

/** What a request comes to: a refusal's text, or the model before and after the rewrite and the body both ways. */
function play(table: ParserTable, { headers, body }: Exchange) {
  const header = (name: string) => headers[name];
  const path = requestPath(header);
  const parser = table.resolve(path);
  if (parser === undefined) return { refused: noParserMessage(path) };
  const parsed = parser.parse({ path, header, body: body! });
  if (!parsed.ok) return { refused: parsed.message };
  parsed.prompts();
  const rewrite = header("x-llm-d-model-name-rewrite") ?? header("x-gateway-model-name-rewrite") ?? "";
  const target = rewrite || parsed.model;
  if (parsed.rewritable && target === "") return { refused: "model not found in request body" };
  const isRewritten = parsed.rewritable && target !== parsed.model;
  const bodyAs = (mode: "splice" | "stock") =>
    isRewritten ? Buffer.concat(parser.rewriteModel!(body!, target, mode)) : Buffer.from(body!);
  const { model, skipResponse } = parsed;
  return { parser, model, target, skipResponse, isRewritten, stock: bodyAs("stock"), splice: bodyAs("splice") };
}

function comparable(text: string): string {
  const match = GO_TEXT.exec(text);
  return match === null ? text : match[1];
}

/** Splits as the wire does, to compare with the recorded chunks. */
function chunksOf(body: Uint8Array): readonly Uint8Array[] {
  const chunks = [];
  for (let at = 0; at === 0 || at < body.length; at += 62_000) chunks.push(body.subarray(at, at + 62_000));
  return chunks;
}

const played = FAMILIES.flatMap((family) =>
  goldenCases(family).map((recorded) => ({ case: recorded, table: createParserTable(parsersOf(recorded.config)) })),
);
/** Requests whose body ended and that the stock EPP answered with a pick or a refusal that a parser can cause. */
const requests = played.flatMap(({ case: { id, exchanges }, table }) =>
  exchanges
    .filter(({ body, refusal, forwarded }) => body !== undefined && (refusal?.code === 400 || forwarded.length > 0))
    .map((exchange) => ({ at: `${id} ${exchange.name}`, exchange, table })),
);

describe("recorded requests", () => {
  it("are many, and many are refusals", () => {
    expect(requests.length).toBeGreaterThan(1000);
    expect(requests.filter(({ exchange }) => exchange.refusal !== undefined).length).toBeGreaterThan(150);
  });

  it("are accepted or refused as the stock EPP did, with its words", () => {
    for (const { at, exchange, table } of requests) {
      const { refused } = play(table, exchange);
      const text = refused === undefined ? "" : `inference error: BadRequest - ${refused}`;
      expect(comparable(text), at).toBe(comparable(exchange.refusal?.text ?? ""));
    }
  });

  it("go on with the stock EPP's bytes, or by splice with the same JSON", () => {
    let rewritten = 0;
    for (const { at, exchange, table } of requests) {
      const { stock, splice, isRewritten } = play(table, exchange);
      if (stock === undefined || exchange.refusal !== undefined) continue;
      const chunks = chunksOf(stock);
      expect(chunks.length, at).toBe(exchange.forwarded.length);
      for (const [i, chunk] of chunks.entries()) expect(isAnswered(chunk, exchange.forwarded[i]), at).toBe(true);
      if (!isRewritten) continue;
      rewritten++;
      expect(JSON.parse(splice.toString()), at).toEqual(JSON.parse(stock.toString()));
    }
    expect(rewritten).toBeGreaterThan(15);
  });
});

describe("recorded answers", () => {
  /** Sums and counts of token metrics as the stock EPP's page shows them: each chunk's own usage, zeros left out. */
  function tokenMetrics(table: ParserTable, exchanges: readonly Exchange[]): Record<string, number> {
    const metrics: Record<string, number> = {};
    for (const exchange of exchanges) {
      const request = exchange.body === undefined ? undefined : play(table, exchange);
      const parser = request?.parser ?? table.resolve(requestPath((name) => exchange.headers[name]));
      if (parser?.createResponseReader === undefined || exchange.refusal !== undefined) continue;
      if (request?.skipResponse === true) continue;
      const isStream = (exchange.responseHeaders["content-type"] ?? "").includes("text/event-stream");
      const create = USAGE_READERS[parser.type] ?? createOpenAiUsageReader;
      const reader = create(isStream, false);
      const labels = `{model_name="${request?.model ?? ""}",target_model_name="${request?.target ?? ""}"}`;
      for (const { bytes, endOfStream } of exchange.responseChunks) {
        const usage = reader.push(bytes, endOfStream);
        for (const [name, count] of [
          ["input", usage?.promptTokens ?? 0],
          ["output", usage?.completionTokens ?? 0],
          ["prompt_cached", usage?.cachedTokens ?? 0],
        ] as const) {
          if (count <= 0) continue;
          const key = `inference_objective_${name}_tokens`;
          metrics[`${key}_sum${labels}`] = (metrics[`${key}_sum${labels}`] ?? 0) + count;
          metrics[`${key}_count${labels}`] = (metrics[`${key}_count${labels}`] ?? 0) + 1;
        }
      }
    }
    return metrics;
  }

  it("give the token counts of the stock EPP's metrics pages", () => {
    let compared = 0;
    for (const { case: recorded, table } of played) {
      if (recorded.metrics === undefined) continue;
      const isTokens = /^inference_objective_(input|output|prompt_cached)_tokens_(sum|count)\{/;
      const expected = Object.fromEntries(Object.entries(recorded.metrics).filter(([name]) => isTokens.test(name)));
      expect(tokenMetrics(table, recorded.exchanges), recorded.id).toEqual(expected);
      compared += Object.keys(expected).length;
    }
    expect(compared).toBeGreaterThan(80);
  });
});

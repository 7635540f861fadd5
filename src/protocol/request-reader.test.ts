import { describe, expect, it } from "vitest";
import { blockIds } from "../core/block-ids.ts";
import type { ParsedRequest, Parser } from "../core/parser.ts";
import { readRequest } from "./request-reader.ts";
import { bytesOf } from "./text.ts";

const parsed: ParsedRequest = {
  ok: true,
  model: "m",
  stream: false,
  maxOutputTokens: -1,
  cacheSalt: "",
  rewritable: true,
  skipResponse: false,
  prompts: () => [{ bytes: new Uint8Array(8) }],
};
const NO_HEADERS = new Map<string, Uint8Array>();

/** Reads a request that the parser finds to be as given. */
function read(found: Partial<ParsedRequest>, headers = NO_HEADERS, more = {}) {
  const parser: Parser = { type: "test", claims: [], parse: () => ({ ...parsed, ...found }) };
  const plan = { resolveParser: () => parser, headerNames: [], tokenizes: true, blockSizesTokens: [64], ...more };
  return readRequest({ plan: () => plan, blockIds }, headers, "r", new Uint8Array(3), undefined);
}

describe("a request that is read", () => {
  it("has names of at most 4096 characters: they are kept as long as its answer takes", () => {
    const longest = "x".repeat(4096);
    expect(read({ model: longest, cacheSalt: longest })).toMatchObject({ facts: { model: longest } });
    for (const [field, found] of [
      ["model", { model: `${longest}x` }],
      ["cache_salt", { cacheSalt: `${longest}x` }],
    ] as const) {
      expect(read(found)).toEqual({
        code: "BadRequest",
        message: `cannot take the request: its ${field} has 4097 characters, at most 4096 are allowed`,
      });
    }
  });

  it("has block ids where the plan tokenises, and the headers that the plan names", () => {
    const headers = new Map([
      ["x-a", bytesOf("1")],
      ["x-b", bytesOf("2")],
    ]);
    expect(read({}, headers, { headerNames: ["x-b", "x-c"] })).toMatchObject({
      facts: { headers: { "x-b": "2" }, inputTokens: 2, blocks: [{ blockSizeTokens: 64, prompts: [{ tokens: 2 }] }] },
    });
    expect(read({}, headers, { tokenizes: false })).toMatchObject({ facts: { inputTokens: -1, blocks: [] } });
    expect(read({ prompts: () => undefined })).toMatchObject({ facts: { inputTokens: -1, blocks: [] } });
  });
});

import { describe, expect, it } from "vitest";
import { blockIds } from "../core/block-ids.ts";
import { DEFAULT_MEDIA, REQUEST_MEDIA_MAX } from "../core/media.ts";
import type { ParsedRequest, Parser, PromptTokens } from "../core/parser.ts";
import type { ReadRequest } from "./request-reader.ts";
import { readRequest } from "./request-reader.ts";
import { bytesOf } from "../core/text.ts";

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
      facts: {
        headers: { "x-b": "2" },
        inputTokens: 2,
        promptBytes: 8,
        blocks: [{ blockSizeTokens: 64, prompts: [{ tokens: 2 }] }],
      },
    });
    expect(read({}, headers, { tokenizes: false })).toMatchObject({ facts: { inputTokens: -1, blocks: [] } });
    expect(read({ prompts: () => undefined })).toMatchObject({ facts: { inputTokens: -1, blocks: [] } });
  });

  it("is read with the plan's settings of media", () => {
    const media = { ...DEFAULT_MEDIA, image: { mode: "static", tokens: 7 } } as const;
    const seen: unknown[] = [];
    const parser: Parser = { type: "test", claims: [], parse: (input) => (seen.push(input.media), parsed) };
    const plan = { resolveParser: () => parser, headerNames: [], tokenizes: true, blockSizesTokens: [] };
    for (const more of [{ media }, {}]) {
      readRequest({ plan: () => ({ ...plan, ...more }), blockIds }, NO_HEADERS, "r", new Uint8Array(3), undefined);
    }
    expect(seen).toEqual([media, undefined]);
  });

  it("has the media of all its prompts, up to the limit, and no such field without them", () => {
    const image = { modality: "image", hash: "a", offsetTokens: 1, lengthTokens: 1 };
    const bytes = new Uint8Array(8);
    const media = (...prompts: readonly PromptTokens[]) =>
      (read({ prompts: () => prompts }) as ReadRequest).facts.media;
    expect(media({ bytes, media: [image] }, { bytes }, { bytes, media: [image, image] })).toEqual([
      { ...image, prompt: 0 },
      { ...image, prompt: 2 },
      { ...image, prompt: 2 },
    ]);
    const many = { bytes, media: Array.from({ length: REQUEST_MEDIA_MAX - 1 }, () => image) };
    expect(media(many, many)).toHaveLength(REQUEST_MEDIA_MAX);
    expect("media" in (read({}) as ReadRequest).facts).toBe(false);
  });
});

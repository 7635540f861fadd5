import { describe, expect, it } from "vitest";
import type { Parser } from "../../core/parser.ts";
import { anthropicParser } from "./anthropic-parser.ts";
import { openaiParser } from "./openai-parser.ts";
import { passthroughParser } from "./passthrough-parser.ts";
import { createParserTable, noParserMessage, requestPath } from "./resolve-parser.ts";
import { vllmhttpParser } from "./vllmhttp-parser.ts";

const claiming = (type: string, ...claims: string[]): Parser => ({ ...passthroughParser, type, claims });
const table = createParserTable([openaiParser, anthropicParser, vllmhttpParser, passthroughParser]);

describe("createParserTable", () => {
  it.each([
    ["/v1/chat/completions", "openai-parser"],
    ["/v1/chat/completions/", "openai-parser"],
    ["/v1/chat/completions?x=/v1/messages", "openai-parser"],
    ["/foo-completions", "openai-parser"],
    ["/v1/chat/completions/render", "openai-parser"],
    ["/v1/images/generations", "openai-parser"],
    ["/v1/messages", "anthropic-parser"],
    ["/v1/messages/count_tokens", "anthropic-parser"],
    ["/v1/messages/batches", "passthrough-parser"],
    ["/inference/v1/generate/", "vllmhttp-parser"],
    ["/generate", "passthrough-parser"],
    ["/v1/chat/completions//", "passthrough-parser"],
    ["/", "passthrough-parser"],
  ])("gives %s to %s", (path, type) => {
    expect(table.resolve(path)?.type).toBe(type);
  });

  it("prefers the longest suffix, whatever the order", () => {
    const long = claiming("long", "a/b/c");
    const short = claiming("short", "c");
    for (const parsers of [
      [long, short],
      [short, long],
    ]) {
      expect(createParserTable(parsers).resolve("/x/a/b/c")?.type).toBe("long");
      expect(createParserTable(parsers).resolve("/x/b/c")?.type).toBe("short");
    }
  });

  it("leaves a suffix with the parser that claimed it first", () => {
    const parsers = [claiming("first", "/a/"), claiming("second", "a")];
    expect(createParserTable(parsers).resolve("/a")?.type).toBe("first");
  });

  it("passes a type over that was there already", () => {
    const parsers = [claiming("same", "a"), claiming("same", "b")];
    expect(createParserTable(parsers).resolve("/b")).toBeUndefined();
  });

  it("ends the list at the first parser without claims", () => {
    const parsers = [claiming("a", "a"), claiming("fallback"), claiming("late", "b"), claiming("later")];
    expect(createParserTable(parsers).resolve("/b")?.type).toBe("fallback");
    expect(createParserTable(parsers).resolve("/a")?.type).toBe("a");
  });

  it("finds none without a fallback", () => {
    expect(createParserTable([openaiParser]).resolve("/v1/messages")).toBeUndefined();
    expect(noParserMessage("/v1/messages")).toBe("no parser registered matching path suffix for: /v1/messages");
  });
});

describe("requestPath", () => {
  it.each([
    [{ ":path": "/v1/a?b=/c" }, "/v1/a"],
    [{ ":path": "/v1/a", "x-original-path": "/b" }, "/v1/a"],
    [{ ":path": "", "x-original-path": "/b?c", "x-forwarded-path": "/d" }, "/b"],
    [{ "x-forwarded-path": "/d" }, "/d"],
    [{}, "/v1/completions"],
  ])("of %j is %s", (headers, path) => {
    expect(requestPath((name) => (headers as Record<string, string>)[name])).toBe(path);
  });
});

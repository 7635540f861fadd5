import type { Parser } from "../../core/parser.ts";

/** Headers that name the request's path, in the order in which they are tried. */
const PATH_HEADERS = [":path", "x-original-path", "x-forwarded-path"] as const;
const DEFAULT_PATH = "/v1/completions";

/** Which parser takes which path. */
export interface ParserTable {
  /** The parser whose claimed suffix is the longest to match; else the fallback; else undefined. */
  resolve(path: string): Parser | undefined;
}

/**
 * Builds the table of a config's parsers. A type that was there already is passed over. The first parser without claims
 * is the fallback, and no parser after it counts. Of two parsers with one suffix the first has it.
 */
export function createParserTable(parsers: readonly Parser[]): ParserTable {
  const types = new Set<string>();
  const bySuffix = new Map<string, Parser>();
  let fallback: Parser | undefined;
  for (const parser of parsers) {
    if (types.has(parser.type)) continue;
    types.add(parser.type);
    if (parser.claims.length === 0) {
      fallback = parser;
      break;
    }
    for (const claim of parser.claims) {
      const suffix = trimPath(claim).replace(/^\/+/, "");
      if (!bySuffix.has(suffix)) bySuffix.set(suffix, parser);
    }
  }
  const entries = [...bySuffix].sort(([a], [b]) => b.length - a.length);
  return {
    resolve(path) {
      const trimmed = trimPath(path);
      return entries.find(([suffix]) => trimmed.endsWith(suffix))?.[1] ?? fallback;
    },
  };
}

/** Text of the refusal (400) when no parser takes a path. */
export function noParserMessage(path: string): string {
  return `no parser registered matching path suffix for: ${path}`;
}

/** The path of a request, without its query. An empty header counts as none. */
export function requestPath(header: (name: string) => string | undefined): string {
  for (const name of PATH_HEADERS) {
    const value = header(name) ?? "";
    if (value !== "") return withoutQuery(value);
  }
  return DEFAULT_PATH;
}

/** A path as suffixes are matched against: white space around it, its query and one trailing slash left out. */
export function trimPath(path: string): string {
  const trimmed = withoutQuery(path).trim();
  return trimmed.endsWith("/") ? trimmed.slice(0, -1) : trimmed;
}

function withoutQuery(path: string): string {
  const query = path.indexOf("?");
  return query < 0 ? path : path.slice(0, query);
}

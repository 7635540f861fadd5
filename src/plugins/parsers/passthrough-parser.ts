import type { ParsedRequest, Parser } from "../../core/parser.ts";

/** Nothing is read from the body, and nothing of it is ever changed. */
const UNREAD: ParsedRequest = {
  ok: true,
  model: "",
  stream: false,
  maxOutputTokens: -1,
  cacheSalt: "",
  rewritable: false,
  skipResponse: false,
  prompts: () => undefined,
};

/** The same for a request whose response needs no callout either. */
export const UNREAD_BOTH_WAYS: ParsedRequest = { ...UNREAD, skipResponse: true };

/** Takes any body as it is: the fallback for paths that no other parser claims. */
export const passthroughParser: Parser = {
  type: "passthrough-parser",
  claims: [],
  parse: () => UNREAD,
};

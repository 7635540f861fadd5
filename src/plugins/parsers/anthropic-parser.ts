import type { ParseFailure, ParsedRequest, Parser, ParserInput } from "../../core/parser.ts";
import { messagesApi } from "./anthropic-messages.ts";
import { createAnthropicUsageReader } from "./anthropic-usage.ts";
import { readJsonRequest, scanJsonBody } from "./json-request.ts";
import { rewriteModel } from "./model-rewrite.ts";
import { UNREAD_BOTH_WAYS } from "./passthrough-parser.ts";
import { trimPath } from "./resolve-parser.ts";

const COUNT_TOKENS = "messages/count_tokens";

/** Anthropic's API: messages are read, count_tokens is passed on as it is and its answer not looked at. */
export const anthropicParser: Parser = {
  type: "anthropic-parser",
  claims: ["messages", COUNT_TOKENS],
  parse: parseMessages,
  rewriteModel,
  createResponseReader: createAnthropicUsageReader,
};

function parseMessages(input: ParserInput): ParsedRequest | ParseFailure {
  if (trimPath(input.path).endsWith(COUNT_TOKENS)) return UNREAD_BOTH_WAYS;
  const error = scanJsonBody(input.body);
  if (error !== "") return { ok: false, message: `error unmarshaling request body: ${error}` };
  if (!input.path.endsWith("/messages")) return { ok: false, message: `unsupported API endpoint: ${input.path}` };
  return readJsonRequest(messagesApi, input);
}

import type { Parser } from "../../core/parser.ts";
import { parseJsonRequest, type JsonApi } from "./json-request.ts";
import { rewriteModel } from "./model-rewrite.ts";
import { chatApi } from "./openai-chat.ts";
import { completionsApi } from "./openai-completions.ts";
import { conversationsApi } from "./openai-conversations.ts";
import { embeddingsApi } from "./openai-embeddings.ts";
import { imagesApi } from "./openai-images.ts";
import { responsesApi } from "./openai-responses.ts";
import { createOpenAiUsageReader } from "./openai-usage.ts";
import { trimPath } from "./resolve-parser.ts";

/** Which API a path means, in the order in which they are tried. */
const APIS: readonly (readonly [suffix: string, api: JsonApi])[] = [
  ["conversations", conversationsApi],
  ["responses", responsesApi],
  ["chat/completions", chatApi],
  ["chat/completions/render", chatApi],
  ["completions", completionsApi],
  ["completions/render", completionsApi],
  ["embeddings", embeddingsApi],
  ["images/generations", imagesApi],
];

/** The API of a path by its suffix; an unknown path is taken for completions. */
function apiOf(path: string): JsonApi {
  const trimmed = trimPath(path);
  return APIS.find(([suffix]) => trimmed.endsWith(suffix))?.[1] ?? completionsApi;
}

/**
 * OpenAI's API. Refuses what lacks the field that its API needs; a member of another kind than Go's decoder takes
 * counts as that.
 */
export const openaiParser: Parser = {
  type: "openai-parser",
  claims: APIS.map(([suffix]) => suffix),
  parse: (input) => parseJsonRequest(apiOf(input.path), input, "error unmarshaling request bodyMap: "),
  rewriteModel,
  createResponseReader: createOpenAiUsageReader,
};

import type { Usage } from "../../core/parser.ts";
import {
  EventStreamUsageReader,
  JsonUsageReader,
  member,
  tokenCount,
  USAGE_MARK,
  type EventUsageSource,
  type UsageReader,
} from "./usage-reader.ts";

/** `usage` of an answer or event; in a stream of the Responses API that of the response in `response.completed`. */
const SOURCE: EventUsageSource = {
  paths: ["usage", "type", "response.usage"],
  mark: USAGE_MARK,
  read(value) {
    return readCounts(value(0)) ?? (value(1) === "response.completed" ? readCounts(value(2)) : undefined);
  },
};

/** Usage from answers of OpenAI's API and vLLM's: `prompt_tokens` or `input_tokens` and so on, numbers or numeric strings. */
export function createOpenAiUsageReader(eventStream: boolean, joins = true): UsageReader {
  return eventStream ? new EventStreamUsageReader(SOURCE, joins) : new JsonUsageReader(SOURCE);
}

function readCounts(usage: unknown): Usage | undefined {
  if (typeof usage !== "object" || usage === null || Array.isArray(usage)) return undefined;
  const prompt = member(usage, "prompt_tokens") ?? member(usage, "input_tokens");
  const completion = member(usage, "completion_tokens") ?? member(usage, "output_tokens");
  const cached =
    member(member(usage, "input_tokens_details"), "cached_tokens") ??
    member(member(usage, "prompt_tokens_details"), "cached_tokens");
  return {
    promptTokens: tokenCount(prompt),
    completionTokens: tokenCount(completion),
    cachedTokens: tokenCount(cached),
  };
}

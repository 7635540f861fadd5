import type { Usage } from "../../core/parser.ts";
import {
  EventStreamUsageReader,
  JsonUsageReader,
  member,
  tokenCount,
  USAGE_MARK,
  type EventUsageSource,
  type UsageReader,
  type UsageSource,
} from "./usage-reader.ts";

const JSON_SOURCE: UsageSource = {
  paths: ["usage"],
  read(value) {
    return isObject(value(0)) ? counts(value(0), "input_tokens", "output_tokens") : undefined;
  },
};

/** `message_start` tells the prompt's tokens, `message_delta` the output's so far; cached ones are told by either. */
const EVENT_SOURCE: EventUsageSource = {
  paths: ["type", "message.usage", "usage"],
  mark: USAGE_MARK,
  read(value) {
    if (value(0) === "message_start" && isObject(value(1))) return counts(value(1), "input_tokens", undefined);
    if (value(0) === "message_delta" && isObject(value(2))) return counts(value(2), undefined, "output_tokens");
    return undefined;
  },
};

/** Usage from answers of Anthropic's API. Only numbers count here, as in the stock EPP. */
export function createAnthropicUsageReader(eventStream: boolean, joins = true): UsageReader {
  return eventStream ? new EventStreamUsageReader(EVENT_SOURCE, joins) : new JsonUsageReader(JSON_SOURCE);
}

function counts(usage: unknown, prompt: string | undefined, completion: string | undefined): Usage {
  return {
    promptTokens: prompt === undefined ? -1 : numberCount(member(usage, prompt)),
    completionTokens: completion === undefined ? -1 : numberCount(member(usage, completion)),
    cachedTokens: numberCount(member(usage, "cache_read_input_tokens")),
  };
}

function numberCount(value: unknown): number {
  return typeof value === "number" ? tokenCount(value) : -1;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

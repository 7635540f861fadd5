import type { Usage } from "../../core/parser.ts";
import { ByteMark } from "./byte-mark.ts";
import {
  EventStreamUsageReader,
  JsonUsageReader,
  tokenCount,
  type EventUsageSource,
  type UsageReader,
  type UsageSource,
} from "./usage-reader.ts";

const PATHS = [
  "meta_info.prompt_tokens",
  "meta_info.completion_tokens",
  "meta_info.cached_tokens",
  "meta_info.finish_reason",
];
const FINISH_REASON = 3;

const JSON_SOURCE: UsageSource = { paths: PATHS, read: readCounts };

/** Every event counts what there is so far: the one with a reason why the answer ended counts. */
const EVENT_SOURCE: EventUsageSource = {
  paths: PATHS,
  mark: new ByteMark('meta_info"'),
  read(value) {
    const reason = value(FINISH_REASON);
    return reason === undefined || reason === null ? undefined : readCounts(value);
  },
};

/** Usage from answers of SGLang's `/generate`: numbers in `meta_info`. */
export function createSglangUsageReader(eventStream: boolean, joins = true): UsageReader {
  return eventStream ? new EventStreamUsageReader(EVENT_SOURCE, joins) : new JsonUsageReader(JSON_SOURCE);
}

function readCounts(value: (index: number) => unknown): Usage | undefined {
  const [promptTokens, completionTokens, cachedTokens] = [0, 1, 2].map((index) => numberCount(value(index)));
  return promptTokens < 0 && completionTokens < 0 ? undefined : { promptTokens, completionTokens, cachedTokens };
}

const numberCount = (value: unknown): number => (typeof value === "number" ? tokenCount(value) : -1);

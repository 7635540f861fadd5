import { z } from "zod";
import { tokenizedPromptKey } from "../../core/data-key.ts";
import type { PluginRequest } from "../../core/plugin.ts";
import { definePlugin } from "../define.ts";
import { keepWhere } from "../filters/keep-where.ts";
import { labelOf } from "../label-of.ts";
import { TOKEN_PRODUCER } from "../producers/token-producer.ts";

const UNLABELLED = 0.5;
const IN_RANGE_MIN = 0.3;
const WIDTH_WEIGHT = 0.7;
const WIDTH_SCALE_TOKENS = 10_000;
const DISTANCE_SCALE_TOKENS = 1000;
/** About the greatest number that stock reads (a Go int); a label with one above is no range. */
const TOKENS_MAX = 9_223_372_036_854_775_808;
const RANGE = /^([+]?\d+)-([+]?\d+)$/;

const params = z.strictObject({
  label: z
    .string()
    .min(1, "the name of a label")
    .default("llm-d.ai/context-length-range")
    .describe("Label with an endpoint's range of context lengths in tokens, `min-max`."),
  enableFiltering: z.boolean().default(false).describe("Drops endpoints whose range does not hold the request."),
});

/** A range of context lengths in tokens, both ends in it; undefined when the label says none. */
interface LengthRange {
  readonly min: number;
  readonly max: number;
}

/**
 * Prefers endpoints whose label tells a range of context lengths that holds the prompt, narrow ranges before wide ones.
 *
 * Score: 0.5 without a label, 0 when it is no range. Within: 1 when the range is one length, else
 * 0.3 + 0.7 * (0.7 / (1 + width / 10000) + 0.3 * (max - length) / width). Outside: 0.3 / (1 + distance / 1000).
 * Filter, when enabled: keeps endpoints without a label and those whose range holds the prompt.
 * Source: scheduling/scorer/contextlengthaware.
 */
export const contextLengthAware = definePlugin(["filter", "scorer"], {
  type: "context-length-aware",
  example: `
plugins:
- type: context-length-aware
  parameters: {label: llm-d.ai/context-length-range, enableFiltering: true}
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: context-length-aware
    weight: 2
`,
  params,
  data: () => ({ requires: [tokenizedPromptKey(TOKEN_PRODUCER)] }),
  create: ({ label, enableFiltering }, { endpoints }) => {
    const rangeText = (slot: number) => labelOf(endpoints.description[slot].labels, label);
    return {
      filter(request, candidates, keep) {
        const length = lengthOf(request);
        return keepWhere(candidates, keep, (slot) => {
          const text = rangeText(slot);
          if (!enableFiltering || text === undefined) return true;
          const range = rangeOf(text);
          return range !== undefined && range.min <= length && length <= range.max;
        });
      },
      score(request, { count, slots }, out) {
        const length = lengthOf(request);
        for (let i = 0; i < count; i++) {
          const text = rangeText(slots[i]);
          out[i] = text === undefined ? UNLABELLED : scoreOf(rangeOf(text), length);
        }
      },
    };
  },
});

const lengthOf = (request: PluginRequest): number => request.get(tokenizedPromptKey(TOKEN_PRODUCER))?.tokens ?? 0;

function rangeOf(text: string): LengthRange | undefined {
  const ends = RANGE.exec(text);
  if (!ends) return undefined;
  const [min, max] = [Number(ends[1]), Number(ends[2])];
  return min <= max && max <= TOKENS_MAX ? { min, max } : undefined;
}

function scoreOf(range: LengthRange | undefined, length: number): number {
  if (!range) return 0;
  const { min, max } = range;
  if (length < min || length > max) {
    const distance = length < min ? min - length : length - max;
    return IN_RANGE_MIN / (1 + distance / DISTANCE_SCALE_TOKENS);
  }
  const width = max - min;
  if (width === 0) return 1;
  const narrowness = 1 / (1 + width / WIDTH_SCALE_TOKENS);
  const room = (max - length) / width;
  return IN_RANGE_MIN + (1 - IN_RANGE_MIN) * (WIDTH_WEIGHT * narrowness + (1 - WIDTH_WEIGHT) * room);
}

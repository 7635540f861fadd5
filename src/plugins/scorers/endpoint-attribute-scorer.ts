import { z } from "zod";
import { dataKey } from "../../core/data-key.ts";
import { defineScorer } from "../define.ts";
import { CORE_METRICS_EXTRACTOR } from "../signals.ts";

const normalization = z
  .strictObject({
    fixedRange: z
      .strictObject({
        min: z.number().default(0).describe("Value that counts as 0."),
        max: z.number().default(0).describe("Value that counts as 1."),
      })
      .refine(({ min, max }) => min < max, "min below max")
      .optional()
      .describe("Values are measured by this range."),
    adaptiveRange: z.strictObject({}).optional().describe("Values are measured by the candidates' own range."),
  })
  .refine(({ fixedRange, adaptiveRange }) => !fixedRange || !adaptiveRange, "fixedRange or adaptiveRange, not both");

const params = z
  .strictObject({
    attributeKey: z.string().min(1, "the name of an attribute").describe("Attribute of endpoints that is scored."),
    producer: z.string().optional().describe('Who brings it; default core-metrics-extractor, "" for anyone.'),
    algorithm: z
      .strictObject({
        type: z.enum(["linear_lower_is_better", "linear_higher_is_better"]).describe("Which end scores 1."),
        normalization: normalization.optional().describe("How values become 0..1; default adaptiveRange."),
      })
      .describe("How a value becomes a score."),
  })
  .refine(({ attributeKey: key, producer }) => producer !== undefined || !key.includes("/"), {
    path: ["attributeKey"],
    message: 'an attribute without "/", or producer beside it: they are two parameters',
  });

/**
 * Scores one number that endpoints have, such as a custom metric.
 *
 * n = (value - min) / (max - min), held to 0..1, over the fixed range or that of the candidates that have the number
 * (1 for all when these are equal); score n, or 1 - n where lower is better. An endpoint without it scores 0.
 * Source: scheduling/scorer/endpointattribute.
 */
export const endpointAttributeScorer = defineScorer({
  type: "endpoint-attribute-scorer",
  example: `
plugins:
- type: endpoint-attribute-scorer
  parameters:
    attributeKey: kv_offload_ratio
    algorithm:
      type: linear_lower_is_better
      normalization: {fixedRange: {min: 0, max: 1}}
- type: core-metrics-extractor
  parameters:
    engineConfigs:
    - name: vllm
      customMetrics:
      - {attributeKey: kv_offload_ratio, metricSpec: "acme:kv_offload_ratio"}
`,
  stability: "alpha",
  params,
  data: ({ attributeKey, producer = CORE_METRICS_EXTRACTOR }) => ({
    wants: producer === "" ? [] : [dataKey(attributeKey, producer)],
  }),
  create: ({ attributeKey, algorithm }, { endpoints }) => {
    const column = endpoints.column(attributeKey);
    const fixed = algorithm.normalization?.fixedRange;
    const lowerIsBetter = algorithm.type === "linear_lower_is_better";
    return {
      score(_request, { count, slots }, out) {
        const { values } = column;
        const { min, max } = fixed ?? rangeOf(values, slots, count);
        for (let i = 0; i < count; i++) {
          const value = values[slots[i]];
          if (Number.isNaN(value)) out[i] = 0;
          else if (min === max) out[i] = 1;
          else {
            const share = Math.min(1, Math.max(0, (value - min) / (max - min)));
            out[i] = lowerIsBetter ? 1 - share : share;
          }
        }
      },
    };
  },
});

/** Least and greatest value of the candidates; numbers that were never set are passed over. */
function rangeOf(values: Float64Array, slots: Int32Array, count: number): { min: number; max: number } {
  const range = { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
  for (let i = 0; i < count; i++) {
    const value = values[slots[i]];
    if (value < range.min) range.min = value;
    if (value > range.max) range.max = value;
  }
  return range;
}

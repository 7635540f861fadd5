import { z } from "zod";
import { dataKey } from "../../core/data-key.ts";
import { defineFilter } from "../define.ts";
import { wordOrFirst } from "../params.ts";
import { CORE_METRICS_EXTRACTOR } from "../signals.ts";
import { keepAll } from "./keep-all.ts";
import { keepWhere } from "./keep-where.ts";

const OPERATORS = {
  LessThan: (value: number, bound: number) => value < bound,
  LessThanOrEqual: (value: number, bound: number) => value <= bound,
  GreaterThan: (value: number, bound: number) => value > bound,
  GreaterThanOrEqual: (value: number, bound: number) => value >= bound,
  Equal: (value: number, bound: number) => value === bound,
  NotEqual: (value: number, bound: number) => value !== bound,
} as const;

const threshold = z.strictObject({
  operator: z
    .enum(Object.keys(OPERATORS) as (keyof typeof OPERATORS)[])
    .describe("How an endpoint that stays compares with the value."),
  value: z.number().default(0).describe("What the attribute is compared with."),
});

const params = z
  .strictObject({
    attribute: z.string().min(1, "the name of an attribute").describe("Attribute of endpoints that is looked at."),
    producer: z.string().optional().describe('Who brings it; default core-metrics-extractor, "" for anyone.'),
    onMissing: wordOrFirst("Pass", "Fail").describe("Whether an endpoint without the attribute stays."),
    fallbackOnEmpty: z.boolean().default(false).describe("Keeps all endpoints when none would stay."),
    algorithm: z
      .strictObject({
        type: z.literal("threshold").describe("The only algorithm."),
        threshold: threshold.describe("The comparison."),
      })
      .describe("Which endpoints stay."),
  })
  .refine(({ attribute, producer }) => producer !== undefined || !attribute.includes("/"), {
    path: ["attribute"],
    message: 'an attribute without "/", or producer beside it: they are two parameters',
  });

/**
 * Keeps endpoints by one number that they have, such as a custom metric: those for which the comparison holds, and those
 * without the number where `onMissing` is Pass. Source: scheduling/filter/endpointattribute.
 */
export const endpointAttributeFilter = defineFilter({
  type: "endpoint-attribute-filter",
  example: `
plugins:
- type: endpoint-attribute-filter
  parameters:
    attribute: kv_offload_ratio
    algorithm: {type: threshold, threshold: {operator: LessThan, value: 0.9}}
    fallbackOnEmpty: true
- type: core-metrics-extractor
  parameters:
    engineConfigs:
    - name: vllm
      customMetrics:
      - {attributeKey: kv_offload_ratio, metricSpec: "acme:kv_offload_ratio"}
- type: queue-scorer
`,
  stability: "alpha",
  params,
  data: ({ attribute, producer = CORE_METRICS_EXTRACTOR }) => ({
    wants: producer === "" ? [] : [dataKey(attribute, producer)],
  }),
  create: ({ attribute, onMissing, fallbackOnEmpty, algorithm }, { endpoints }) => {
    const column = endpoints.column(attribute);
    const { operator, value: bound } = algorithm.threshold;
    const holds = OPERATORS[operator];
    return {
      filter(_request, candidates, keep) {
        const { values } = column;
        const kept = keepWhere(candidates, keep, (slot) =>
          Number.isNaN(values[slot]) ? onMissing === "Pass" : holds(values[slot], bound),
        );
        return kept === 0 && fallbackOnEmpty ? keepAll(candidates.count, keep) : kept;
      },
    };
  },
});

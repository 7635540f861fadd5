import { z } from "zod";
import { defineFilter } from "../define.ts";
import { labelOf } from "../label-of.ts";
import { keepWhere } from "./keep-where.ts";

const params = z
  .strictObject({
    label: z.string().min(1, "the name of a label").describe("Label that is looked at."),
    validValues: z.array(z.string()).default([]).describe("Values of the endpoints that stay."),
    allowsNoLabel: z.boolean().default(false).describe("Keeps endpoints without the label, too."),
  })
  .refine(({ validValues, allowsNoLabel }) => validValues.length > 0 || allowsNoLabel, {
    path: ["validValues"],
    message: "values, or allowsNoLabel: true",
  });

/**
 * Keeps endpoints by one label: its value is one of `validValues`, or it is absent and that is allowed. An absent label
 * reads as "", so "" among the values keeps such endpoints, too. Source: scheduling/filter/bylabel/filter.go.
 */
export const byLabelFilter = defineFilter({
  type: "by-label",
  example: `
plugins:
- type: by-label
  parameters:
    label: hardware
    validValues: [h100, h200]
- type: queue-scorer
`,
  stability: "deprecated",
  replacedBy: "label-selector-filter",
  params,
  create: ({ label, validValues, allowsNoLabel }, { endpoints }) => {
    const values = new Set(validValues);
    return {
      filter: (_request, candidates, keep) =>
        keepWhere(candidates, keep, (slot) => {
          const value = labelOf(endpoints.description[slot].labels, label);
          return (value === undefined && allowsNoLabel) || values.has(value ?? "");
        }),
    };
  },
});

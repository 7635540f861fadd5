import type { Candidates } from "../../core/candidates.ts";
import type { Endpoints } from "../../core/endpoints.ts";
import { defineFilter } from "../define.ts";
import { keepWhere } from "./keep-where.ts";
import type { LabelSelector } from "./label-selector.ts";
import { labelSelector, selects } from "./label-selector.ts";

const TYPE = "label-selector-filter";

const spec = {
  params: labelSelector,
  create: (selector: LabelSelector, { endpoints }: { readonly endpoints: Endpoints }) => ({
    filter: (_request: unknown, candidates: Candidates, keep: Int32Array) =>
      keepWhere(candidates, keep, (slot) => selects(selector, endpoints.description[slot].labels)),
  }),
};

/**
 * Keeps the endpoints that a Kubernetes LabelSelector selects; an empty one selects all.
 * Source: scheduling/filter/bylabel/selector.go.
 */
export const labelSelectorFilter = defineFilter({ type: TYPE, ...spec });

/** Keeps the endpoints that a Kubernetes LabelSelector selects: label-selector-filter under its older name. */
export const byLabelSelectorFilter = defineFilter({
  type: "by-label-selector",
  stability: "deprecated",
  replacedBy: TYPE,
  ...spec,
});

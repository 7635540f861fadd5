import { z } from "zod";
import { parseLabelSelector } from "../filters/label-selector-text.ts";
import { headerName, textOr } from "../params.ts";

const headerSelector = z.strictObject({
  name: z.string().default("").describe("Name of the selector."),
  headerName: headerName
    .refine((name) => name !== "", "the name of a header")
    .describe("Header of the request with the wanted value, and of the response with that of the endpoint."),
  labelKey: z.string().min(1, "the name of a label").describe("Label that it is compared with."),
  mode: z.enum(["strict", "prefer"]).describe("strict drops the other endpoints; prefer only tells the label."),
});

const revisionGating = z
  .strictObject({
    revisionLabelKey: textOr("disaggregatedset.x-k8s.io/revision").describe("Label with an endpoint's revision."),
    roleLabelKey: textOr("disaggregatedset.x-k8s.io/role").describe("Label with an endpoint's role."),
    mode: z.enum(["sum", "max-role", "disabled"]).describe("What a revision's share is measured by."),
    requireRoles: z
      .strictObject({ values: z.array(z.string().min(1)).default([]).describe("Names of roles.") })
      .prefault({})
      .describe("Roles that a revision must have."),
  })
  .refine(({ mode, requireRoles }) => mode === "disabled" || requireRoles.values.length > 0, {
    path: ["requireRoles", "values"],
    message: "at least one role, as mode is not disabled",
  });

const labelSelector = z
  .string()
  .min(1, "a label selector")
  .superRefine((text, context) => {
    const read = parseLabelSelector(text);
    if (typeof read === "function") return;
    context.addIssue({ code: "custom", message: `a label selector such as "a=b,c in (d,e)": ${read.failed}` });
  });

/** Parameters of disaggregatedset-rollout-screener. */
export const rolloutParams = z.strictObject({
  scope: z
    .strictObject({ labelSelector: labelSelector.describe("Pods that count, as kubectl selects them.") })
    .describe("Which pods are looked at."),
  headerSelectors: z.array(headerSelector).default([]).describe("Headers by which requests choose."),
  revisionGating: revisionGating.describe("Which revisions take requests."),
});

export type RolloutParams = z.infer<typeof rolloutParams>;

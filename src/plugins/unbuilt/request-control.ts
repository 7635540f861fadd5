import { z } from "zod";
import { headerName, textOr } from "../params.ts";
import { defineUnbuilt } from "./define-unbuilt.ts";

const headerSelector = z.strictObject({
  name: z.string().default("").describe("Name of the selector."),
  headerName: headerName
    .refine((name) => name !== "", "the name of a header")
    .describe("Header with the wanted value."),
  labelKey: z.string().min(1, "the name of a label").describe("Label that it is compared with."),
  mode: z.enum(["strict", "prefer"]).describe("strict drops the other endpoints."),
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

// 9.1
const rolloutScreener = defineUnbuilt({
  type: "disaggregatedset-rollout-screener",
  points: ["screener", "requestControl"],
  stability: "alpha",
  params: z.strictObject({
    scope: z
      .strictObject({ labelSelector: z.string().min(1, "a label selector").describe("Pods that count.") })
      .describe("Which pods are looked at."),
    headerSelectors: z.array(headerSelector).default([]).describe("Headers by which requests choose."),
    revisionGating: revisionGating.describe("Which revisions take requests."),
  }),
  headerNames: ({ headerSelectors }) => headerSelectors.map(({ headerName: name }) => name),
});

export const UNBUILT_REQUEST_CONTROL = [rolloutScreener];

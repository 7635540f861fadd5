import { z } from "zod";
import { defineScorer } from "../define.ts";
import { labelOf } from "../label-of.ts";
import { headerName } from "../params.ts";

const params = z.strictObject({
  headerName: headerName.refine((name) => name !== "", "the name of a request header").describe("Header to compare."),
  labelKey: z.string().min(1, "the name of a label").describe("Label of endpoints that it is compared with."),
});

/**
 * Prefers endpoints whose label is what a request header says: 1 when they are equal and not "", else 0.
 * Source: scheduling/scorer/headerlabelaffinity.
 */
export const headerLabelAffinityScorer = defineScorer({
  type: "header-label-affinity-scorer",
  example: `
plugins:
- type: header-label-affinity-scorer
  parameters: {headerName: x-tenant, labelKey: tenant}
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: header-label-affinity-scorer
    weight: 2
`,
  stability: "alpha",
  params,
  headerNames: ({ headerName: name }) => [name],
  create: ({ headerName: name, labelKey }, { endpoints }) => ({
    score(request, { count, slots }, out) {
      const wanted = request.header(name);
      for (let i = 0; i < count; i++) {
        out[i] = wanted && labelOf(endpoints.description[slots[i]].labels, labelKey) === wanted ? 1 : 0;
      }
    },
  }),
});

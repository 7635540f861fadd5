import { z } from "zod";
import type { Rejection } from "../../core/rejection.ts";
import { defineProfileHandler } from "../define.ts";
import { int } from "../params.ts";
import { sharedPort } from "./shared-port.ts";

const NOT_ONE_PROFILE: Rejection = {
  code: "Internal",
  message: "data-parallel-profile-handler needs exactly one scheduling profile",
};

const params = z.strictObject({
  primaryPort: int
    .min(0)
    .max(65_535)
    .default(8000)
    .describe("Port of a pod that takes requests for all of its ranks; a 0 is taken as it is."),
});

/**
 * Sends a request to the port of a pod that all of its data parallel ranks share, and names the rank that was picked in
 * the header x-data-parallel-host-port. No scores are told, as recorded.
 * Source: scheduling/profilehandler/dataparallel.
 */
export const dataParallelProfileHandler = defineProfileHandler({
  type: "data-parallel-profile-handler",
  example: `
plugins:
- type: data-parallel-profile-handler
  parameters: {primaryPort: 8000}
- type: queue-scorer
`,
  params,
  warnings: () => ["the stock EPP tells that this type will go"],
  create: ({ primaryPort }, { endpoints }) => ({
    nextProfiles: (_request, profiles, results) =>
      results.some((result) => result !== undefined) ? [] : profiles.map((_, index) => index),
    finish(request, profiles, results) {
      const [result] = results;
      if (profiles.length !== 1 || !result) return NOT_ONE_PROFILE;
      if (!result.ok) return result.rejection;
      const targets = sharedPort(request, endpoints, result.slots, primaryPort);
      return { primary: 0, targets, hidesScores: true };
    },
  }),
});

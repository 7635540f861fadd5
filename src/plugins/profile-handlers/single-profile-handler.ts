import type { Rejection } from "../../core/rejection.ts";
import { defineProfileHandler } from "../define.ts";
import { noParams } from "../params.ts";

const NOT_ONE_PROFILE: Rejection = {
  code: "Internal",
  message: "single-profile-handler needs exactly one scheduling profile",
};

/**
 * Runs the one profile that there is; its picks are the destination. Source: scheduling/profilehandler/single.
 */
export const singleProfileHandler = defineProfileHandler({
  type: "single-profile-handler",
  params: noParams,
  ignoresParams: true,
  create: () => ({
    nextProfiles: (_request, profiles, results) =>
      results.some((result) => result !== undefined) ? [] : profiles.map((_, index) => index),
    finish(_request, profiles, results) {
      const [result] = results;
      if (profiles.length !== 1 || !result) return NOT_ONE_PROFILE;
      return result.ok ? { primary: 0 } : result.rejection;
    },
  }),
});

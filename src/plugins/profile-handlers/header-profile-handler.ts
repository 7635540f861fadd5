import { z } from "zod";
import { defineProfileHandler } from "../define.ts";
import { headerNameOr } from "../params.ts";
import { noneRan } from "./no-profile.ts";

const params = z.strictObject({
  headerName: headerNameOr("epp-profile").describe("Request header that names the profile."),
  defaultProfile: z
    .string()
    .default("decode")
    .transform((name) => name.trim() || "decode")
    .describe("Profile of requests without the header."),
});

/**
 * Runs the one profile that a request header names, or the default one; with a single profile always that.
 * Source: scheduling/profilehandler/headerprofile.
 */
export const headerProfileHandler = defineProfileHandler({
  type: "header-profile-handler",
  example: `
plugins:
- type: header-profile-handler
  parameters: {headerName: x-profile, defaultProfile: fast}
- type: queue-scorer
- type: prefix-cache-scorer
schedulingProfiles:
- name: fast
  plugins:
  - pluginRef: queue-scorer
- name: warm
  plugins:
  - pluginRef: prefix-cache-scorer
`,
  stability: "alpha",
  params,
  headerNames: ({ headerName: name }) => [name],
  create: ({ headerName: header, defaultProfile }) => ({
    nextProfiles(request, profiles, results) {
      if (results.some((result) => result !== undefined)) return [];
      if (profiles.length === 1) return [0];
      const wanted = request.header(header)?.trim() || defaultProfile;
      const index = profiles.findIndex(({ name }) => name === wanted);
      return index < 0 ? [] : [index];
    },
    finish(request, _profiles, results) {
      const index = results.findIndex((result) => result !== undefined);
      const result = results[index];
      if (!result) return noneRan(request);
      return result.ok ? { primary: index } : result.rejection;
    },
  }),
});

import { z } from "zod";
import { DEFAULT_PREFIX_PRODUCER, prefixMatchKey, tokenizedPromptKey } from "../../core/data-key.ts";
import type { Profile } from "../../core/plan.ts";
import type { PluginRequest, ProfileResult } from "../../core/plugin.ts";
import { PD_DECISIONS } from "../counters.ts";
import { PREFIX_BASED_PD_DECIDER } from "../deciders/prefix-based-pd-decider.ts";
import { defineProfileHandler } from "../define.ts";
import { int, producerName, textOr } from "../params.ts";
import { TOKEN_PRODUCER } from "../producers/token-producer.ts";
import { deciderNamed } from "./decider-named.ts";
import { DISAGG_PROFILE_HANDLER } from "./disagg-profile-handler.ts";
import { NO_DECODE, noneRan } from "./no-profile.ts";
import { sharedPort } from "./shared-port.ts";
import { stageDecision, StageDecisions } from "./stage-decisions.ts";

const params = z.strictObject({
  decodeProfile: textOr("decode").describe("Name of the profile that picks the decode pod."),
  prefillProfile: textOr("prefill").describe("Name of the profile that picks the prefill pod."),
  primaryPort: int.min(0).max(65_535).default(0).describe("As of data-parallel-profile-handler; 0 = not used."),
  deciderPluginName: textOr(PREFIX_BASED_PD_DECIDER).describe("Plugin that decides whether prefill runs on its own."),
  prefixPluginType: z.string().optional().describe("Ignored; of older releases."),
  prefixPluginName: z.string().optional().describe("Ignored; of older releases."),
  prefixMatchInfoProducerName: producerName(DEFAULT_PREFIX_PRODUCER).describe("Who tells of cached prefixes."),
});

/**
 * Picks a pod to decode, and one that prefills for it where the decider says so. The decode pod is told of it by
 * disagg-headers-handler, not by this.
 *
 * Decode runs first; then prefill, once, where its profile is there and the decider says yes, given the decode pod. A
 * prefill that finds no pod is left out; a decode that finds none refuses the request. With primaryPort the destination
 * is that port of the pod and x-data-parallel-host-port names the rank that was picked; no scores are told then.
 * Requests count in llm_d_epp_pd_decision_total by what the decider said.
 *
 * `threshold` of older releases, in bytes, is the decider prefix-based-pd-decider with nonCachedBytes; 0 is
 * always-disagg-pd-decider. Source: scheduling/profilehandler/disagg, pd_profile_handler.
 */
export const pdProfileHandler = defineProfileHandler({
  type: "pd-profile-handler",
  stability: "deprecated",
  replacedBy: DISAGG_PROFILE_HANDLER,
  params,
  data: ({ prefixMatchInfoProducerName }) => ({
    requires: [prefixMatchKey(prefixMatchInfoProducerName), tokenizedPromptKey(TOKEN_PRODUCER)],
  }),
  references: ({ deciderPluginName: name }) => [{ path: ["deciderPluginName"], name, point: "decider" }],
  example: `
plugins:
- type: decode-filter
- type: prefill-filter
- type: always-disagg-pd-decider
- type: disagg-headers-handler
- type: pd-profile-handler
  parameters: { deciderPluginName: always-disagg-pd-decider }
schedulingProfiles:
- name: decode
  plugins:
  - pluginRef: decode-filter
- name: prefill
  plugins:
  - pluginRef: prefill-filter
`,
  create: ({ decodeProfile, prefillProfile, primaryPort, deciderPluginName }, context) => {
    const decider = deciderNamed(context, deciderPluginName);
    const decisions = new StageDecisions(PD_DECISIONS.name);
    const placeOf = (profiles: readonly Profile[], wanted: string) => profiles.findIndex(({ name }) => name === wanted);
    return {
      nextProfiles(request, profiles, results) {
        const decode = placeOf(profiles, decodeProfile);
        const prefill = placeOf(profiles, prefillProfile);
        if (decode < 0) return [];
        const result = results[decode];
        if (!result) return [decode];
        if (!result.ok || result.rows.length === 0 || prefill < 0 || results[prefill]) return [];
        return decider?.decide(request, result.rows[0]) ? [prefill] : [];
      },
      finish(request, profiles, results) {
        const primary = placeOf(profiles, decodeProfile);
        const decoded = decodeResult(request, results[primary]);
        if ("code" in decoded) return decoded;
        const prefilled = results[placeOf(profiles, prefillProfile)] !== undefined;
        // As stock: with decode alone nobody is asked, and nothing is counted.
        if (profiles.length > 1) decisions.add(request.targetModel, stageDecision(false, prefilled));
        if (primaryPort === 0) return { primary };
        const targets = sharedPort(request, context.endpoints, decoded.slots, primaryPort);
        return { primary, targets, hidesScores: true };
      },
      counters: () => decisions.rows(),
    };
  },
});

function decodeResult(request: PluginRequest, result: ProfileResult | undefined) {
  if (!result) return noneRan(request);
  if (!result.ok) return result.rejection;
  return result.slots.length === 0 ? NO_DECODE : result;
}

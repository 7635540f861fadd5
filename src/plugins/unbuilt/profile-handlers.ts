import { z } from "zod";
import { prefixMatchKey, tokenizedPromptKey } from "../../core/data-key.ts";
import type { PluginReference } from "../../core/plugin.ts";
import { int, noParams, producerName, textOr } from "../params.ts";
import { TOKEN_PRODUCER } from "../producers/token-producer.ts";
import { defineUnbuilt } from "./define-unbuilt.ts";
import { disaggParams } from "./disagg-params.ts";

const APPROX_PREFIX_PRODUCER = "approx-prefix-cache-producer";
const PREFIX_BASED_DECIDER = "prefix-based-pd-decider";
const DISAGG_HANDLER = "disagg-profile-handler";

const port = int.min(0).max(65_535);

const decider = (path: readonly string[], name: string): readonly PluginReference[] =>
  name === "" ? [] : [{ path, name, point: "decider" }];

// 5.4
const disagg = defineUnbuilt({
  type: DISAGG_HANDLER,
  points: ["profileHandler", "requestControl"],
  params: disaggParams,
  warnings: ({ old }) => (old.length === 0 ? [] : [`older forms: ${old.join(", ")}; today profiles and deciders`]),
  data: () => ({ requires: [prefixMatchKey(APPROX_PREFIX_PRODUCER), tokenizedPromptKey(TOKEN_PRODUCER)] }),
  references: ({ deciders }) => [
    ...decider(["deciders", "prefill"], deciders.prefill),
    ...decider(["deciders", "encode"], deciders.encode),
  ],
});

// 5.5, as of HEAD; what older releases took is an old form of the config language.
const pd = defineUnbuilt({
  type: "pd-profile-handler",
  points: ["profileHandler"],
  stability: "deprecated",
  replacedBy: DISAGG_HANDLER,
  params: z.strictObject({
    decodeProfile: textOr("decode").describe("Name of the profile that picks the decode pod."),
    prefillProfile: textOr("prefill").describe("Name of the profile that picks the prefill pod."),
    primaryPort: port.default(0).describe("As of data-parallel-profile-handler; 0 = not used."),
    deciderPluginName: textOr(PREFIX_BASED_DECIDER).describe("Plugin that decides whether prefill runs on its own."),
    prefixPluginType: z.string().optional().describe("Ignored; of older releases."),
    prefixPluginName: z.string().optional().describe("Ignored; of older releases."),
    prefixMatchInfoProducerName: producerName(APPROX_PREFIX_PRODUCER).describe("Who tells of cached prefixes."),
  }),
  data: ({ prefixMatchInfoProducerName }) => ({ requires: [prefixMatchKey(prefixMatchInfoProducerName)] }),
  references: ({ deciderPluginName }) => decider(["deciderPluginName"], deciderPluginName),
});

// 5.6
const disaggHeaders = (type: string) =>
  defineUnbuilt({
    type,
    points: ["requestControl"],
    stability: "deprecated",
    replacedBy: DISAGG_HANDLER,
    params: z.strictObject({
      prefillProfile: textOr("prefill").describe("Profile whose pick is told to the decode pod."),
      encodeProfile: textOr("encode").describe("Profile whose picks are told to the decode pod."),
    }),
  });

// 5.7
const alwaysDecider = (type: string) =>
  defineUnbuilt({ type, points: ["decider"], params: noParams, ignoresParams: true });

const prefixBasedDecider = defineUnbuilt({
  type: PREFIX_BASED_DECIDER,
  points: ["decider"],
  params: z.strictObject({
    nonCachedTokens: int.min(0).default(0).describe("Tokens to compute from which prefill runs on its own; 0 = never."),
    promptTokens: int.min(0).default(0).describe("Tokens of a prompt below which it never does; 0 = no such limit."),
  }),
});

export const UNBUILT_PROFILE_HANDLERS = [
  disagg,
  pd,
  disaggHeaders("disagg-headers-handler"),
  disaggHeaders("prefill-header-handler"),
  alwaysDecider("always-disagg-pd-decider"),
  alwaysDecider("always-disagg-multimodal-decider"),
  prefixBasedDecider,
];

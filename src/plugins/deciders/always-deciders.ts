import { noParams } from "../params.ts";
import { defineDecider } from "../define.ts";

/**
 * Decides that prefill always runs in a pod of its own.
 * Source: scheduling/profilehandler/disagg, always_disagg_pd_decider.
 */
export const alwaysDisaggPdDecider = defineDecider({
  type: "always-disagg-pd-decider",
  params: noParams,
  ignoresParams: true,
  example: `
plugins:
- type: decode-filter
- type: prefill-filter
- type: always-disagg-pd-decider
- type: disagg-profile-handler
  parameters:
    deciders: { prefill: always-disagg-pd-decider }
schedulingProfiles:
- name: decode
  plugins:
  - pluginRef: decode-filter
- name: prefill
  plugins:
  - pluginRef: prefill-filter
`,
  create: () => ({ decide: () => true }),
});

/**
 * Decides that encode runs in pods of its own when a prompt holds a picture, a sound or a film.
 * Source: scheduling/profilehandler/disagg, always_disagg_mm_decider.
 */
export const alwaysDisaggMultimodalDecider = defineDecider({
  type: "always-disagg-multimodal-decider",
  params: noParams,
  ignoresParams: true,
  example: `
plugins:
- type: decode-filter
- type: encode-filter
- type: always-disagg-multimodal-decider
- type: disagg-profile-handler
  parameters:
    deciders: { encode: always-disagg-multimodal-decider }
schedulingProfiles:
- name: decode
  plugins:
  - pluginRef: decode-filter
- name: encode
  plugins:
  - pluginRef: encode-filter
`,
  create: () => ({ decide: ({ facts }) => facts.media !== undefined && facts.media.length > 0 }),
});

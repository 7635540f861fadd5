import { z } from "zod";
import { definePlugin } from "../define.ts";
import { textOr } from "../params.ts";
import { DISAGG_PROFILE_HANDLER } from "./disagg-profile-handler.ts";
import { tellPods } from "./pod-headers.ts";

const params = z.strictObject({
  prefillProfile: textOr("prefill").describe("Profile whose pick is told to the decode pod."),
  encodeProfile: textOr("encode").describe("Profile whose picks are told to the decode pod."),
});

const disaggHeaders = (type: string) =>
  definePlugin(["requestControl"], {
    type,
    stability: "deprecated",
    replacedBy: DISAGG_PROFILE_HANDLER,
    params,
    example: `
plugins:
- type: decode-filter
- type: prefill-filter
- type: always-disagg-pd-decider
- type: pd-profile-handler
  parameters: { deciderPluginName: always-disagg-pd-decider }
- type: ${type}
schedulingProfiles:
- name: decode
  plugins:
  - pluginRef: decode-filter
- name: prefill
  plugins:
  - pluginRef: prefill-filter
`,
    create: ({ prefillProfile: prefill, encodeProfile: encode }, { endpoints }) => ({
      preRequest(request, result) {
        tellPods(request, result, { prefill, encode }, endpoints);
      },
    }),
  });

/**
 * Tells the decode pod where prefill and encode run: x-prefiller-host-port is the first pick of the prefill profile,
 * x-encoder-hosts-ports are all picks of the encode profile. Where there is none, the client's own header is taken
 * away (--remove-client-headers).
 *
 * disagg-profile-handler does the same by itself. Beside it, or beside another of these, they act in the order of
 * `plugins`; one whose profile has no pick leaves what another one set (stock deletes it, or not, in an order that it
 * draws at its start). Source: scheduling/profilehandler/disagg, disagg_headers_handler.
 */
export const disaggHeadersHandler = disaggHeaders("disagg-headers-handler");

/** The older name of disagg-headers-handler, as a type of its own: the same headers. */
export const prefillHeaderHandler = disaggHeaders("prefill-header-handler");

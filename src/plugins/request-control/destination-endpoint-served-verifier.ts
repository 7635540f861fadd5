import { definePlugin } from "../define.ts";
import { noParams } from "../params.ts";

const HEADER = "x-conformance-test-served-endpoint";

/**
 * Tells a test who answered: sets the response header `x-conformance-test-served-endpoint` to the `host:port` that the
 * proxy names in `envoy.lb` / `x-gateway-destination-endpoint-served`.
 *
 * Without the namespace the header says `fail: missing envoy lb metadata`, without the name in it
 * `fail: missing destination endpoint served metadata`. Of the Gateway API's conformance tests.
 * Source: requestcontrol/test/responsereceived.
 */
export const destinationEndpointServedVerifier = definePlugin(["requestControl"], {
  type: "destination-endpoint-served-verifier",
  params: noParams,
  ignoresParams: true,
  create: () => ({
    responseStarted(request) {
      const { served, tells } = request.servedWord;
      const missing = tells ? "destination endpoint served" : "envoy lb";
      request.setResponseHeader(HEADER, served ?? `fail: missing ${missing} metadata`);
    },
  }),
});

import { defineDataLayerType } from "../define.ts";
import { noParams } from "../params.ts";

/**
 * Events of endpoints that come and go, for the plugins that stand under it. Nothing runs for it: the picker tells every
 * plugin of its endpoints in the step in which they change, named here or not. Source: source/notifications.
 */
export const endpointNotificationSource = defineDataLayerType("dataSource", {
  type: "endpoint-notification-source",
  payload: "endpoints",
  params: noParams,
  ignoresParams: true,
  example: `
plugins:
- type: endpoint-notification-source
- type: topology-extractor
dataLayer:
  sources:
  - pluginRef: endpoint-notification-source
    extractors:
    - pluginRef: topology-extractor
`,
});

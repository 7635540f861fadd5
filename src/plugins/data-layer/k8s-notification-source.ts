import { z } from "zod";
import { defineDataLayerType } from "../define.ts";

/**
 * Events of Kubernetes objects of one kind. Where endpoints come from a file there is no Kubernetes to watch: the picker
 * says so once, at the start, and serves, as stock. Source: source/notifications, datalayer/k8s_bind.go.
 */
export const k8sNotificationSource = defineDataLayerType("dataSource", {
  type: "k8s-notification-source",
  payload: "objects",
  params: z.strictObject({
    group: z.string().default("").describe('API group of what is watched; "" = core.'),
    version: z.string().min(1, "an API version").describe("API version of what is watched."),
    kind: z.string().min(1, "a kind").describe("Kind of what is watched."),
  }),
  example: `
plugins:
- type: k8s-notification-source
  parameters: {version: v1, kind: Pod}
dataLayer:
  sources:
  - pluginRef: k8s-notification-source
`,
});

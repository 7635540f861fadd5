import { z } from "zod";
import { goDurationUs } from "../plugins/params.ts";
import { parseQuantity } from "./quantity.ts";

/**
 * The typed part of an EndpointPickerConfig, piece by piece: each list entry is read by itself, so that one mistake
 * hides no other (`spec/epp-core.md` 4.2; stock: apix/config/v1alpha1).
 */

const text = z.string().default("");

/** A reference to a plugin by its name. */
const pluginRef = z.strictObject({ pluginRef: text.describe("Name of a plugin.") });

/** An entry of `plugins`. */
export const pluginSpec = z.strictObject({
  name: text.describe("Name that others refer to; default: the type."),
  type: text.describe("Plugin type."),
  parameters: z.unknown().optional().describe("Parameters of the type."),
});

/** An entry of `schedulingProfiles`. */
export const profileSpec = z.strictObject({
  name: text.describe("Name of the profile."),
  plugins: z.array(z.unknown()).default([]).describe("Plugins of the profile, in order."),
});

/** An entry of a profile's `plugins`. */
export const profilePluginSpec = z.strictObject({
  pluginRef: text.describe("Name of a filter, scorer or picker."),
  weight: z.number().optional().describe("Weight of a scorer; default 1."),
});

/** An entry of `dataLayer.sources`. */
const sourceSpec = z.strictObject({
  pluginRef: text.describe("Name of a data source."),
  extractors: z.array(pluginRef).default([]).describe("Extractors that read what the source brings."),
});

export const dataLayerSpec = z.strictObject({
  injectDefaults: z.boolean().default(true).describe("Adds metrics-data-source with core-metrics-extractor."),
  sources: z.array(sourceSpec).default([]),
  discovery: pluginRef.optional().describe("Where endpoints come from in place of Kubernetes."),
  peerDiscovery: pluginRef.optional(),
  crossReplicaSyncerPluginRef: text,
  crossReplicaSyncInterval: goDurationUs.optional(),
});

/** A Kubernetes quantity: a number or a text such as "1Gi". */
const quantity = z.unknown().transform((value, context) => {
  const parsed = typeof value === "number" || typeof value === "string" ? parseQuantity(String(value)) : undefined;
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: "custom", message: 'a quantity such as 5000, "2k" or "1Gi"' });
  return z.NEVER;
});

const band = z.strictObject({
  priority: z.int().default(0),
  maxBytes: quantity.optional(),
  maxRequests: quantity.optional(),
  defaultRequestTTL: goDurationUs.optional().describe("Time to live in this band; newer releases."),
  noEndpointRequestTTL: goDurationUs
    .optional()
    .describe("Time to live in this band without endpoints; newer releases."),
  fairnessPolicyRef: text,
  orderingPolicyRef: text,
});

export const flowControlSpec = z.strictObject({
  maxBytes: quantity.optional(),
  maxRequests: quantity.optional(),
  defaultRequestTTL: goDurationUs.optional(),
  noEndpointRequestTTL: goDurationUs.optional(),
  defaultPriorityBand: band.optional(),
  defaultNegativePriorityBand: band.optional(),
  priorityBands: z.array(band).default([]),
  usageLimitPolicyPluginRef: text,
  saturationDetector: pluginRef.optional(),
  enableEviction: z.boolean().default(false),
});

export const requestHandlerSpec = z.strictObject({ parsers: z.array(pluginRef).default([]) });

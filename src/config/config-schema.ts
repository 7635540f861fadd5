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
  sources: z.array(sourceSpec).default([]).describe("Where signals come from, and who reads them."),
  discovery: pluginRef.optional().describe("Where endpoints come from in place of Kubernetes."),
  peerDiscovery: pluginRef.optional().describe("Where other replicas of the picker come from."),
  crossReplicaSyncerPluginRef: text.describe("Name of a plugin that shares state among replicas."),
  crossReplicaSyncInterval: goDurationUs.optional().describe('Time between two exchanges, such as "1s".'),
});

/** A Kubernetes quantity: a number or a text such as "1Gi". */
const quantity = z
  .unknown()
  .transform((value, context) => {
    const parsed = typeof value === "number" || typeof value === "string" ? parseQuantity(String(value)) : undefined;
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: "custom", message: 'a quantity such as 5000, "2k" or "1Gi"' });
    return z.NEVER;
  })
  // For the JSON Schema, which can't tell it from the check.
  .meta({ type: ["number", "string"] });
const quantityOf = (what: string) => quantity.optional().describe(what);

const band = z.strictObject({
  priority: z.int().default(0).describe("Priority of its requests, the greater before the smaller."),
  maxBytes: quantityOf("Most bytes of requests that wait in it; 0 = the default of a band."),
  maxRequests: quantityOf("Most requests that wait in it; 0 = the default of a band."),
  defaultRequestTTL: goDurationUs.optional().describe("Time to live in this band; newer releases."),
  noEndpointRequestTTL: goDurationUs
    .optional()
    .describe("Time to live in this band without endpoints; newer releases."),
  fairnessPolicyRef: text.describe("Plugin that chooses the flow that goes next."),
  orderingPolicyRef: text.describe("Plugin that orders the requests of a flow."),
});

export const flowControlSpec = z.strictObject({
  maxBytes: quantityOf("Most bytes of requests that wait in all; 0 = any."),
  maxRequests: quantityOf("Most requests that wait in all; 0 = any."),
  defaultRequestTTL: goDurationUs.optional().describe('Longest wait of a request, such as "30s".'),
  noEndpointRequestTTL: goDurationUs.optional().describe("Longest wait of a request while there is no endpoint."),
  defaultPriorityBand: band.optional().describe("Of priorities from 0 without a band of their own."),
  defaultNegativePriorityBand: band.optional().describe("Of priorities below 0 without a band of their own."),
  priorityBands: z.array(band).default([]).describe("One for each priority that is listed."),
  usageLimitPolicyPluginRef: text.describe("Plugin that says how full the pool may get for a priority."),
  saturationDetector: pluginRef.optional().describe("Plugin that tells how full the pool is."),
  enableEviction: z.boolean().default(false).describe("Whether running requests give way to those of higher priority."),
});

export const requestHandlerSpec = z.strictObject({
  parsers: z.array(pluginRef).default([]).describe("Who reads bodies, in the order in which they are asked."),
});

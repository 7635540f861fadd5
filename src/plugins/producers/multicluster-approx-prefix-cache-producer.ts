import type { PluginDefinition } from "../../core/plugin.ts";
import { approxPrefixCacheProducer } from "./approx-prefix-cache-producer.ts";

export const MULTICLUSTER_PREFIX_PRODUCER = "multicluster-approx-prefix-cache-producer";

/**
 * Guesses which cluster holds which prompt prefix from where earlier requests went: `approx-prefix-cache-producer` for a
 * picker whose endpoints are clusters, the same in all but its name.
 *
 * Source: requestcontrol/dataproducer/approximateprefix.
 */
export const multiclusterApproxPrefixCacheProducer: PluginDefinition = {
  ...approxPrefixCacheProducer,
  type: MULTICLUSTER_PREFIX_PRODUCER,
  stability: "alpha",
  example: `
plugins:
- type: multicluster-approx-prefix-cache-producer
  parameters: {autoTune: false, blockSizeTokens: 128}
- type: multicluster-prefix-cache-scorer
`,
};

import type { ConfigSource } from "../core/events.ts";
import type { EppFlags } from "./epp-flags.ts";

/** The flags that change decisions, as options of a `ConfigSource`: a recorded run replays with them. */
export function configOptionsOf(flags: EppFlags): ConfigSource["options"] {
  return {
    ...(flags.configFile && { "config-file": flags.configFile }),
    "pool-name": flags.poolName,
    "pool-namespace": flags.poolNamespace,
    "allow-experimental-plugins": flags.allowExperimentalPlugins,
    "disable-endpoint-subset-filter": flags.disableEndpointSubsetFilter,
    ...(flags.strictConfig && { "strict-config": true }),
    ...flags.translated,
  };
}

import type { PluginDefinition } from "../../core/plugin.ts";
import { UNBUILT_FLOW_CONTROL } from "./flow-control.ts";
import { UNBUILT_PRECISE_PREFIX } from "./precise-prefix.ts";
import { UNBUILT_PRODUCERS } from "./producers.ts";

/** Every type of the stock EPP that this release knows and does not build yet, by family. The list shrinks to nothing. */
export const UNBUILT: readonly PluginDefinition[] = [
  ...UNBUILT_PRODUCERS,
  ...UNBUILT_PRECISE_PREFIX,
  ...UNBUILT_FLOW_CONTROL,
];

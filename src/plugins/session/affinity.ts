import type { Candidates } from "../../core/candidates.ts";
import type { PluginInstance, PluginRequest } from "../../core/plugin.ts";

/** One way to know the endpoint that a session had. */
export interface Affinity extends Pick<PluginInstance, "preRequest" | "moved" | "responseStarted"> {
  /** Place of the session's endpoint among the candidates; -1 when it is none of them, or there is no session. */
  placeOf(request: PluginRequest, candidates: Candidates): number;
}

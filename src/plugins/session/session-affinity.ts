import { dataKey } from "../../core/data-key.ts";
import type { PluginContext, PluginDefinition, PluginInstance } from "../../core/plugin.ts";
import { definePlugin } from "../define.ts";
import { keepAll } from "../filters/keep-all.ts";
import type { Affinity } from "./affinity.ts";
import { EncodedEndpointAffinity } from "./encoded-endpoint-affinity.ts";
import type { SessionAffinityParams } from "./session-affinity-params.ts";
import { sessionAffinityParams } from "./session-affinity-params.ts";
import { SessionIdAffinity } from "./session-id-affinity.ts";
import { SESSION_ID_PRODUCER } from "./session-id-producer.ts";

/** One of them: a scorer or a filter. */
function sessionAffinity(type: string, point: "scorer" | "filter"): PluginDefinition {
  return definePlugin([point, "requestControl"], {
    type,
    stability: "alpha",
    params: sessionAffinityParams,
    example: `
plugins:
- type: ${type}
  parameters:
    strategy: session_id
    sessionIdConfig: {sources: [{header: x-session-id}], evictionTtlSeconds: 600}
- type: queue-scorer
`,
    headerNames: ({ strategy, encodedEndpointHeaderConfig, sessionIdConfig }) =>
      strategy === "session_id"
        ? sessionIdConfig.sources.flatMap(({ header }) => header || [])
        : [encodedEndpointHeaderConfig.header],
    data: ({ strategy, sessionIdConfig }) => ({
      wants: sessionIdConfig.sources.flatMap(({ attribute, producer }) =>
        strategy === "session_id" && attribute !== "" ? dataKey(attribute, producer || SESSION_ID_PRODUCER) : [],
      ),
    }),
    create: (params, context) => instanceOf(affinityOf(params, context), point),
  });
}

const affinityOf = (params: SessionAffinityParams, { name, endpoints }: PluginContext): Affinity =>
  params.strategy === "session_id"
    ? new SessionIdAffinity(name, endpoints, params)
    : new EncodedEndpointAffinity(name, endpoints, params.encodedEndpointHeaderConfig.header, params.profileName);

function instanceOf(affinity: Affinity, point: "scorer" | "filter"): PluginInstance {
  const hooks: PluginInstance = {
    preRequest: (request, result) => affinity.preRequest?.(request, result),
    moved: (request, from, to) => affinity.moved?.(request, from, to),
    responseStarted: (request) => affinity.responseStarted?.(request),
  };
  if (point === "scorer") {
    return {
      ...hooks,
      score(request, candidates, out) {
        out.fill(0, 0, candidates.count);
        const place = affinity.placeOf(request, candidates);
        if (place >= 0) out[place] = 1;
      },
    };
  }
  return {
    ...hooks,
    filter(request, candidates, keep) {
      const place = affinity.placeOf(request, candidates);
      if (place < 0) return keepAll(candidates.count, keep);
      keep[0] = place;
      return 1;
    },
  };
}

/**
 * Keeps sessions on their endpoint: as a scorer 1 for it and 0 for the others, as a filter it alone where it is a
 * candidate, else all. The endpoint is that of the token that the client sends back (`encoded_endpoint_header`), or the
 * one that the picker remembers of the session (`session_id`).
 * Source: scheduling/scorer/sessionaffinity, scheduling/util/sessionaffinity.
 */
export const SESSION_AFFINITY = [
  sessionAffinity("session-affinity-scorer", "scorer"),
  sessionAffinity("session-affinity-filter", "filter"),
  sessionAffinity("multicluster-session-affinity-filter", "filter"),
];

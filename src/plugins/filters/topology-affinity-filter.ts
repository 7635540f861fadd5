import { z } from "zod";
import { topologyKey } from "../../core/data-key.ts";
import { TOPOLOGY_EXTRACTOR } from "../data-layer/topology-extractor.ts";
import { defineFilter } from "../define.ts";
import { producerName, wordOrFirst } from "../params.ts";
import { peerTopology, TOPOLOGY_LEVELS } from "../topology.ts";
import { keepAll } from "./keep-all.ts";
import { keepWhere } from "./keep-where.ts";

const params = z.strictObject({
  minAffinity: wordOrFirst(...TOPOLOGY_LEVELS).describe("How near to its peer an endpoint must be."),
  topologyProducerName: producerName(TOPOLOGY_EXTRACTOR).describe("Who tells where endpoints are."),
});

/**
 * Keeps the endpoints that share host, rack, zone or region (`minAffinity`, or what is nearer) with the pod that the
 * other stage of a disaggregated request was given (the peer). Keeps all when none does, when there is no peer, when it
 * is gone, or when nobody tells where it stands. Source: scheduling/filter/topologyaffinity.
 */
export const topologyAffinityFilter = defineFilter({
  type: "topology-affinity-filter",
  example: `
plugins:
- type: always-disagg-pd-decider
- type: disagg-profile-handler
  parameters: {deciders: {prefill: always-disagg-pd-decider}}
- type: decode-filter
- type: prefill-filter
- type: queue-scorer
- type: topology-extractor
- type: topology-affinity-filter
  parameters: {minAffinity: zone}
schedulingProfiles:
- name: decode
  plugins:
  - pluginRef: decode-filter
  - pluginRef: queue-scorer
- name: prefill
  plugins:
  - pluginRef: prefill-filter
  - pluginRef: topology-affinity-filter
  - pluginRef: queue-scorer
`,
  stability: "alpha",
  params,
  data: ({ topologyProducerName }) => ({ wants: [topologyKey(topologyProducerName)] }),
  create: ({ minAffinity, topologyProducerName }, { endpoints }) => {
    const topology = peerTopology(endpoints, topologyProducerName);
    const levelMax = TOPOLOGY_LEVELS.indexOf(minAffinity);
    return {
      filter(request, candidates, keep) {
        const peer = topology.ofPeer(request);
        const kept = peer ? keepWhere(candidates, keep, (slot) => topology.levelOf(peer, slot) <= levelMax) : 0;
        return kept === 0 ? keepAll(candidates.count, keep) : kept;
      },
    };
  },
});

import { z } from "zod";
import { topologyKey } from "../../core/data-key.ts";
import { TOPOLOGY_EXTRACTOR } from "../data-layer/topology-extractor.ts";
import { defineScorer } from "../define.ts";
import { producerName } from "../params.ts";
import { peerTopology } from "../topology.ts";

/** By the level that is shared with the peer, host first; the last is for none. As KV cache moves at each. */
const SCORES = [1, 0.2, 0.05, 0.02, 0];

const params = z.strictObject({
  topologyProducerName: producerName(TOPOLOGY_EXTRACTOR).describe("Who tells where endpoints are."),
});

/**
 * Prefers endpoints near the pod that the other stage of a disaggregated request was given (the peer): 1 on its host,
 * 0.2 in its rack, 0.05 in its zone, 0.02 in its region, else 0. All score 0 when there is no peer, when it is gone, or
 * when nobody tells where it stands; an unknown host, rack, zone or region is shared with nobody.
 * Source: scheduling/scorer/topologyaffinity.
 */
export const topologyAffinityScorer = defineScorer({
  type: "topology-affinity-scorer",
  example: `
plugins:
- type: always-disagg-pd-decider
- type: disagg-profile-handler
  parameters: {deciders: {prefill: always-disagg-pd-decider}}
- type: decode-filter
- type: prefill-filter
- type: queue-scorer
- type: topology-extractor
- type: topology-affinity-scorer
schedulingProfiles:
- name: decode
  plugins:
  - pluginRef: decode-filter
  - pluginRef: queue-scorer
- name: prefill
  plugins:
  - pluginRef: prefill-filter
  - pluginRef: queue-scorer
  - pluginRef: topology-affinity-scorer
    weight: 2
`,
  stability: "alpha",
  params,
  data: ({ topologyProducerName }) => ({ wants: [topologyKey(topologyProducerName)] }),
  create: ({ topologyProducerName }, { endpoints }) => {
    const topology = peerTopology(endpoints, topologyProducerName);
    return {
      score(request, { count, slots }, out) {
        const peer = topology.ofPeer(request);
        for (let i = 0; i < count; i++) out[i] = peer ? SCORES[topology.levelOf(peer, slots[i])] : 0;
      },
    };
  },
});

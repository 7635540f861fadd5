import type { EndpointTopology } from "../core/data-key.ts";
import { PEER_ENDPOINT, topologyKey } from "../core/data-key.ts";
import type { Endpoints } from "../core/endpoints.ts";
import type { PluginRequest } from "../core/plugin.ts";

/** What two endpoints can share, the nearest first. */
export const TOPOLOGY_LEVELS = ["host", "rack", "zone", "region"] as const;

/** Tells how near endpoints are to the peer of a request: the pod that its other stage was given. */
export interface PeerTopology {
  /** Where the peer stands; undefined when there is none, when it is gone, or when nothing tells. */
  ofPeer(request: PluginRequest): EndpointTopology | undefined;
  /**
   * Index into `TOPOLOGY_LEVELS` of the nearest level that peer and endpoint share; their number when they share none.
   * An unknown place ("") is shared with nobody.
   */
  levelOf(peer: EndpointTopology, slot: number): number;
}

/** Reads what the topology extractor of that name tells. */
export function peerTopology(endpoints: Endpoints, extractor: string): PeerTopology {
  const { values } = endpoints.attribute(topologyKey(extractor));
  return {
    ofPeer(request) {
      const peer = request.get(PEER_ENDPOINT);
      return peer && endpoints.holds(peer.slot, peer.generation) ? values[peer.slot] : undefined;
    },
    levelOf(peer, slot) {
      const own = values[slot];
      const level = own ? TOPOLOGY_LEVELS.findIndex((name) => own[name] !== "" && own[name] === peer[name]) : -1;
      return level < 0 ? TOPOLOGY_LEVELS.length : level;
    },
  };
}

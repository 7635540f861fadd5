import { z } from "zod";
import { topologyKey } from "../../core/data-key.ts";
import { definePlugin } from "../define.ts";
import { textOr } from "../params.ts";

/** Type, and so default name, of the extractor. */
export const TOPOLOGY_EXTRACTOR = "topology-extractor";

const params = z.strictObject({
  hostname: textOr("kubernetes.io/hostname").describe("Label with the host; else the pod's spec.hostname."),
  rack: textOr("topology.kubernetes.io/rack").describe("Label with the rack."),
  zone: textOr("topology.kubernetes.io/zone").describe("Label with the zone."),
  region: textOr("topology.kubernetes.io/region").describe("Label with the region."),
});

/**
 * Tells where endpoints stand, by their labels: host, rack, zone and region, the attribute `Topology`. The host of a pod
 * without the label is its `spec.hostname`, where discovery knows it; what no label tells is "", and an endpoint
 * of which nothing is told has no attribute. It needs no source to
 * hang on: the picker tells every plugin of endpoints that come and of labels that change, and the attribute is renewed
 * in the same step. Source: extractor/topology.
 */
export const topologyExtractor = definePlugin(["extractor"], {
  type: TOPOLOGY_EXTRACTOR,
  stability: "alpha",
  payload: "endpoints",
  params,
  data: (_params, name) => ({ produces: [topologyKey(name)] }),
  create: ({ hostname, rack, zone, region }, { name, endpoints }) => {
    const { values } = endpoints.attribute(topologyKey(name));
    const read = (slot: number): void => {
      const { labels, hostname: ownHost = "" } = endpoints.description[slot];
      const label = (key: string): string => (Object.hasOwn(labels, key) ? labels[key] : "");
      const topology = {
        host: label(hostname) || ownHost,
        rack: label(rack),
        zone: label(zone),
        region: label(region),
      };
      values[slot] = Object.values(topology).every((part) => part === "") ? undefined : topology;
    };
    return { endpointAdded: read, endpointChanged: read };
  },
});

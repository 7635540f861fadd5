import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { topologyKey } from "../../core/data-key.ts";
import { Endpoints } from "../../core/endpoints.ts";
import { endpoint } from "../../core/test-support/test-plan.ts";
import { make } from "../test-support/fixture.ts";
import { topologyExtractor } from "./topology-extractor.ts";

const LABELS = {
  "kubernetes.io/hostname": "node-1",
  "topology.kubernetes.io/rack": "r7",
  "topology.kubernetes.io/zone": "eu-1a",
  "topology.kubernetes.io/region": "eu-1",
};

function poolWith(params: unknown, name?: string) {
  const endpoints = new Endpoints();
  const plugin = make(topologyExtractor, params, endpoints, name === undefined ? {} : { name });
  const { values } = endpoints.attribute(topologyKey(name ?? "topology-extractor"));
  const add = (id: string, labels: Record<string, string>, more: { hostname?: string } = {}) => {
    const slot = endpoints.add({ ...endpoint(id, "10.0.0.1"), labels, ...more });
    plugin.endpointAdded(slot);
    return slot;
  };
  return { endpoints, plugin, values, add };
}

describe("topology-extractor", () => {
  it.each([
    ["all labels", {}, LABELS, undefined, { host: "node-1", rack: "r7", zone: "eu-1a", region: "eu-1" }],
    ["no label", {}, {}, undefined, undefined],
    ["the pod's own host name", {}, {}, "own", { host: "own", rack: "", zone: "", region: "" }],
    [
      "an empty label is none",
      {},
      { "kubernetes.io/hostname": "" },
      "own",
      { host: "own", rack: "", zone: "", region: "" },
    ],
    [
      "the label before the host name",
      {},
      LABELS,
      "own",
      { host: "node-1", rack: "r7", zone: "eu-1a", region: "eu-1" },
    ],
    [
      "labels of the config",
      { hostname: "h", rack: "r", zone: "z", region: "g" },
      { h: "1", r: "2", z: "3", g: "4" },
      undefined,
      { host: "1", rack: "2", zone: "3", region: "4" },
    ],
    [
      "an empty parameter is its default",
      { hostname: "", zone: "" },
      LABELS,
      undefined,
      { host: "node-1", rack: "r7", zone: "eu-1a", region: "eu-1" },
    ],
    ["a label that every object has", { rack: "constructor" }, {}, undefined, undefined],
  ])("%s", (_, params, labels, hostname, expected) => {
    const { values, add } = poolWith(params);
    expect(values[add("a", labels, hostname === undefined ? {} : { hostname })]).toEqual(expected);
  });

  it("reads labels again when they change", () => {
    const { endpoints, plugin, values, add } = poolWith({});
    const slot = add("a", LABELS);
    endpoints.describe(slot, {
      ...endpoints.description[slot],
      labels: { ...LABELS, "kubernetes.io/hostname": "node-2" },
    });
    plugin.endpointChanged(slot);
    expect(values[slot]?.host).toBe("node-2");
  });

  it("leaves nothing to the endpoint that takes the slot", () => {
    const { endpoints, values, add } = poolWith({});
    const slot = add("a", LABELS);
    endpoints.remove(slot);
    expect(endpoints.add(endpoint("b", "10.0.0.2"))).toBe(slot);
    expect(values[slot]).toBeUndefined();
  });

  it("keeps to its own name's attribute", () => {
    const { endpoints, values, add } = poolWith({}, "racks");
    const slot = add("a", LABELS);
    expect(values[slot]?.rack).toBe("r7");
    expect(endpoints.attribute(topologyKey("topology-extractor")).values[slot]).toBeUndefined();
  });

  it("takes labels of any name and value", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), fc.string(), (labels, rack) => {
        const { values, add } = poolWith({ rack });
        const topology = values[add("a", labels)];
        const key = rack || "topology.kubernetes.io/rack";
        expect(topology?.rack ?? "").toBe(Object.hasOwn(labels, key) ? labels[key] : "");
      }),
    );
  });

  it("refuses parameters of other kinds", () => {
    expect(topologyExtractor.params.safeParse({ hostname: 1 }).success).toBe(false);
    expect(topologyExtractor.params.safeParse({ room: "x" }).success).toBe(false);
  });
});

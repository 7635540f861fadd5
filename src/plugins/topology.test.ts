import { describe, expect, it } from "vitest";
import { compilePlan } from "../config/compile-plan.ts";
import { pluginExample } from "../config/plugin-example.ts";
import { Core } from "../core/core.ts";
import type { Decision } from "../core/decision.ts";
import { endpoint, facts } from "../core/test-support/test-plan.ts";
import type { EndpointTopology } from "../core/data-key.ts";
import { PEER_ENDPOINT, topologyKey } from "../core/data-key.ts";
import { topologyAffinityFilter } from "./filters/topology-affinity-filter.ts";
import { topologyAffinityScorer } from "./scorers/topology-affinity-scorer.ts";
import { keptBy, make, poolOf, requestOf, scoresOf } from "./test-support/fixture.ts";

const place = (host: string, rack: string, zone: string, region: string): EndpointTopology => ({
  host,
  rack,
  zone,
  region,
});

const PEER = place("h", "r", "z", "g");
/** The peer, then endpoints ever farther from it, then ones of which less is known. */
const PLACES: readonly (EndpointTopology | undefined)[] = [
  PEER,
  place("h", "?", "?", "?"),
  place("x", "r", "z", "g"),
  place("x", "x", "z", "g"),
  place("x", "x", "x", "g"),
  place("x", "x", "x", "x"),
  place("", "", "", ""),
  undefined,
];
const ALL = [...PLACES.keys()];

/** A pool in these places, and a request whose peer is the pod in the first of them. */
function scene(places: readonly (EndpointTopology | undefined)[], extractor = "topology-extractor") {
  const endpoints = poolOf(places.map(() => ({})));
  const { values } = endpoints.attribute(topologyKey(extractor));
  for (const [slot, one] of places.entries()) values[slot] = one;
  const request = requestOf(endpoints);
  request.put(PEER_ENDPOINT, { slot: 0, generation: endpoints.generation[0] });
  return { endpoints, request };
}

function scores(places: readonly (EndpointTopology | undefined)[]): number[] {
  const { endpoints, request } = scene(places);
  return scoresOf(make(topologyAffinityScorer, {}, endpoints), request);
}

function kept(places: readonly (EndpointTopology | undefined)[], params: object = {}): number[] {
  const { endpoints, request } = scene(places);
  return keptBy(make(topologyAffinityFilter, params, endpoints), request);
}

describe("topology-affinity-scorer", () => {
  it("scores by the nearest level that is shared with the peer", () => {
    expect(scores(PLACES)).toEqual([1, 1, 0.2, 0.05, 0.02, 0, 0, 0]);
  });

  it("shares nothing that is not known", () => {
    expect(scores([place("", "r", "", ""), place("", "r", "", ""), place("", "", "", "")])).toEqual([0.2, 0.2, 0]);
    expect(scores([place("", "", "", ""), place("", "", "", "")])).toEqual([0, 0]);
  });

  it("scores 0 without a peer, with one that is gone, and where nobody tells of places", () => {
    const { endpoints, request } = scene(PLACES);
    const scorer = make(topologyAffinityScorer, {}, endpoints);
    expect(scoresOf(scorer, requestOf(endpoints))).toEqual(ALL.map(() => 0));
    const { description } = endpoints;
    const was = description[0];
    endpoints.remove(0);
    endpoints.add(was);
    endpoints.attribute(topologyKey("topology-extractor")).values[0] = PEER;
    expect(scoresOf(scorer, request)).toEqual(ALL.map(() => 0));
    expect(scores([undefined, PEER])).toEqual([0, 0]);
  });

  it("reads the extractor that it is told", () => {
    const { endpoints, request } = scene(PLACES, "mine");
    const other = make(topologyAffinityScorer, { topologyProducerName: "mine" }, endpoints);
    expect(scoresOf(other, request)[2]).toBe(0.2);
    expect(scoresOf(make(topologyAffinityScorer, {}, endpoints), request)[2]).toBe(0);
  });
});

describe("topology-affinity-filter", () => {
  const table: readonly (readonly [string | undefined, readonly number[]])[] = [
    [undefined, [0, 1]],
    ["", [0, 1]],
    ["host", [0, 1]],
    ["rack", [0, 1, 2]],
    ["zone", [0, 1, 2, 3]],
    ["region", [0, 1, 2, 3, 4]],
  ];
  for (const [minAffinity, places] of table) {
    it(`keeps what is as near as ${JSON.stringify(minAffinity)} or nearer`, () => {
      expect(kept(PLACES, minAffinity === undefined ? {} : { minAffinity })).toEqual(places);
    });
  }

  it("keeps all without a peer, with one of an unknown place, and when none is near", () => {
    const { endpoints } = scene(PLACES);
    expect(keptBy(make(topologyAffinityFilter, {}, endpoints), requestOf(endpoints))).toEqual(ALL);
    expect(kept([undefined, PEER])).toEqual([0, 1]);
    expect(kept([place("", "", "", ""), PEER], { minAffinity: "region" })).toEqual([0, 1]);
    const { endpoints: pool, request } = scene([PEER, place("x", "r", "z", "g"), undefined]);
    const others = requestOf(pool, {}, Int32Array.of(1, 2));
    others.put(PEER_ENDPOINT, request.get(PEER_ENDPOINT)!);
    expect(keptBy(make(topologyAffinityFilter, {}, pool), others)).toEqual([0, 1]);
  });
});

describe("prefill near the decode pod", () => {
  /** Role, zone and queue of each pod. */
  const PODS: readonly (readonly [role: string, zone: string, waiting: number])[] = [
    ["decode", "a", 5],
    ["decode", "b", 0],
    ["prefill", "a", 0],
    ["prefill", "b", 3],
    ["prefill", "b", 4],
  ];

  function prefillerOf(text: string): string | undefined {
    const decisions: Decision[] = [];
    const core = new Core({
      env: { seed: 1, emit: (notice) => void (notice.type === "decision" && decisions.push(notice.decision)) },
      compile: compilePlan,
    });
    core.step({ type: "configLoaded", atUs: 0, source: { text, options: { "allow-experimental-plugins": true } } });
    for (const [i, [role, zone, waiting]] of PODS.entries()) {
      const labels = { "llm-d.ai/role": role, "topology.kubernetes.io/zone": zone };
      core.step({ type: "endpointUpserted", atUs: 1, endpoint: { ...endpoint(`pod-${i}`, `10.0.0.${i}`), labels } });
      const generation = core.endpoints.generation[i];
      core.step({ type: "signals", atUs: 2, rows: [{ slot: i, generation, waiting }] });
    }
    core.step({ type: "requestArrived", atUs: 3, facts: facts(1) });
    const [{ outcome, headers }] = decisions;
    expect(outcome).toMatchObject({ kind: "picked", endpointIds: ["default/pod-1"] });
    return headers.get("x-prefiller-host-port");
  }

  it("is found by the filter among pods of its zone, whatever waits elsewhere", () => {
    expect(prefillerOf(pluginExample(topologyAffinityFilter))).toBe("10.0.0.3:8000");
  });

  it("is weighed by the scorer against the queues", () => {
    const example = pluginExample(topologyAffinityScorer);
    // 0.05 for the zone, by 2, against 1 for the shortest queue and 0.25 for the next one.
    expect(prefillerOf(example)).toBe("10.0.0.2:8000");
    expect(prefillerOf(example.replace("weight: 2", "weight: 20"))).toBe("10.0.0.3:8000");
  });
});

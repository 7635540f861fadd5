import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Endpoints } from "../../core/endpoints.ts";
import type { PluginInstance } from "../../core/plugin.ts";
import { make, poolOf, requestOf, targetOf } from "../test-support/fixture.ts";
import { disaggregatedsetRolloutScreener } from "./disaggregatedset-rollout-screener.ts";

const NAME = "disaggregatedset.x-k8s.io/name";
const REVISION = "disaggregatedset.x-k8s.io/revision";
const ROLE = "disaggregatedset.x-k8s.io/role";
const SLICE = "slice";

/** A pod: revision, role and what else is to be said of it. */
type Pod = readonly [revision: string, role: string, more?: Readonly<Record<string, string>>];

const labelsOf = ([revision, role, more]: Pod) => ({ [NAME]: "my-set", [REVISION]: revision, [ROLE]: role, ...more });

/** A pool of pods, each with its name where it tells one in `pod`. */
function pool(pods: readonly Pod[]): Endpoints {
  const endpoints = poolOf(pods.map(() => ({})));
  for (const [slot, pod] of pods.entries()) describeAs(endpoints, slot, pod);
  return endpoints;
}

function describeAs(endpoints: Endpoints, slot: number, pod: Pod): void {
  const { pod: name, ...labels } = { pod: `pod-${slot}`, ...labelsOf(pod) };
  endpoints.description[slot] = { ...endpoints.description[slot], id: `default/${name}`, labels };
}

const selector = (name: string, labelKey: string, mode: string) => ({ name, headerName: `X-${name}`, labelKey, mode });

const paramsOf = (mode = "sum", values: readonly string[] = ["prefill", "decode"], more: object = {}) => ({
  scope: { labelSelector: `${NAME}=my-set` },
  headerSelectors: [selector("Revision", REVISION, "strict"), selector("Slice", SLICE, "prefer")],
  revisionGating: { mode, requireRoles: { values } },
  ...more,
});

function screened(plugin: PluginInstance, endpoints: Endpoints, headers = {}, key = 0): number[] {
  const request = requestOf(endpoints, { headers, key });
  const candidates = request.table.present(endpoints);
  const keep = new Int32Array(candidates.count);
  return [...keep.subarray(0, plugin.screen!(request, candidates, keep))];
}

const A_AND_B: readonly Pod[] = [
  ["a", "prefill"],
  ["a", "decode"],
  ["b", "prefill"],
  ["b", "decode"],
];
const atRevision = (revision: string) => ({ "x-revision": revision });

describe("disaggregatedset-rollout-screener", () => {
  it("keeps all endpoints of one revision, the same for the same request", () => {
    const endpoints = pool(A_AND_B);
    const plugin = make(disaggregatedsetRolloutScreener, paramsOf(), endpoints);
    const seen = new Set(Array.from({ length: 50 }, (_, key) => screened(plugin, endpoints, {}, key).join()));
    expect([...seen].toSorted()).toEqual(["0,1", "2,3"]);
    expect(screened(plugin, endpoints, {}, 3)).toEqual(screened(plugin, endpoints, {}, 3));
  });

  it("draws revisions by their shares: chi-square over 10^5 seeded requests", () => {
    const pods: readonly Pod[] = [
      ...Array.from({ length: 9 }, (): Pod => ["a", "decode"]),
      ["a", "prefill"],
      ["a", "prefill"],
      ["b", "prefill"],
      ["b", "decode"],
    ];
    const endpoints = pool(pods);
    for (const [mode, share] of [
      ["sum", 11 / 13],
      ["max-role", 0.9],
    ] as const) {
      const plugin = make(disaggregatedsetRolloutScreener, paramsOf(mode), endpoints);
      const draws = 100_000;
      let ofA = 0;
      for (let key = 0; key < draws; key++) if (screened(plugin, endpoints, {}, key)[0] === 0) ofA++;
      const expected = draws * share;
      const chiSquare = (ofA - expected) ** 2 / expected + (expected - ofA) ** 2 / (draws - expected);
      // One degree of freedom: above 10.8 in one of 1000.
      expect([mode, chiSquare < 10.8]).toEqual([mode, true]);
    }
  });

  it("keeps nothing of a revision that lacks a role, be it asked for or not", () => {
    const endpoints = pool([["a", "prefill"], ...A_AND_B.slice(2)]);
    const plugin = make(disaggregatedsetRolloutScreener, paramsOf(), endpoints);
    for (let key = 0; key < 20; key++) expect(screened(plugin, endpoints, {}, key)).toEqual([1, 2]);
    expect(screened(plugin, endpoints, atRevision("a"))).toEqual([]);
    expect(screened(plugin, pool([["a", "prefill"]]), {})).toEqual([]);
  });

  it("keeps the revision that a strict header names, whatever its share", () => {
    const endpoints = pool(A_AND_B);
    const plugin = make(disaggregatedsetRolloutScreener, paramsOf(), endpoints);
    for (let key = 0; key < 20; key++) expect(screened(plugin, endpoints, atRevision("b"), key)).toEqual([2, 3]);
    expect(screened(plugin, endpoints, { "x-revision": "" })).toHaveLength(2);
  });

  it("counts requests whose strict headers no endpoint meets", () => {
    const endpoints = pool(A_AND_B);
    const plugin = make(disaggregatedsetRolloutScreener, paramsOf(), endpoints);
    expect(screened(plugin, endpoints, atRevision("nowhere"))).toEqual([]);
    expect(screened(plugin, endpoints, atRevision("a"))).toEqual([0, 1]);
    expect(plugin.gauges()).toEqual({ strict_header_no_match: 1 });
  });

  it("lets all strict headers count, and no other", () => {
    const endpoints = pool([
      ["a", "prefill", { [SLICE]: "1" }],
      ["a", "decode", { [SLICE]: "2" }],
    ]);
    const both = [selector("Revision", REVISION, "strict"), selector("Slice", SLICE, "strict")];
    const strict = make(
      disaggregatedsetRolloutScreener,
      paramsOf("sum", undefined, { headerSelectors: both }),
      endpoints,
    );
    expect(screened(strict, endpoints, { ...atRevision("a"), "x-slice": "2" })).toEqual([1]);
    expect(screened(strict, endpoints, { "x-slice": "3" })).toEqual([]);
    const prefers = make(disaggregatedsetRolloutScreener, paramsOf(), endpoints);
    expect(screened(prefers, endpoints, { "x-slice": "3" })).toEqual([0, 1]);
  });

  it("without gating keeps all, but for strict headers", () => {
    const endpoints = pool([...A_AND_B, ["", ""]]);
    const plugin = make(disaggregatedsetRolloutScreener, paramsOf("disabled", []), endpoints);
    expect(screened(plugin, endpoints)).toEqual([0, 1, 2, 3, 4]);
    expect(screened(plugin, endpoints, atRevision("b"))).toEqual([2, 3]);
  });

  it("counts only pods in scope, and the ranks of a pod once", () => {
    const ranks = Array.from({ length: 8 }, (_, i): Pod => ["a", "decode", { pod: `big-rank-${i}` }]);
    const outside: Pod = ["c", "prefill", { [NAME]: "other" }];
    const pods: readonly Pod[] = [...A_AND_B, ...ranks, outside, ["c", "decode"]];
    const endpoints = pool(pods);
    const plugin = make(disaggregatedsetRolloutScreener, paramsOf(), endpoints);
    let ofA = 0;
    for (let key = 0; key < 5000; key++) {
      const [first] = screened(plugin, endpoints, {}, key);
      expect(pods[first][0]).not.toBe("c");
      if (pods[first][0] === "a") ofA++;
    }
    // 3 of 5 pods, not 10 of 12.
    expect(Math.abs(ofA / 5000 - 3 / 5)).toBeLessThan(0.03);
  });

  it("follows the pool: endpoints that come, go and change their labels", () => {
    const endpoints = pool([["a", "prefill"], ...A_AND_B.slice(2)]);
    const plugin = make(disaggregatedsetRolloutScreener, paramsOf(), endpoints);
    expect(screened(plugin, endpoints, atRevision("a"))).toEqual([]);
    describeAs(endpoints, 1, ["a", "decode"]);
    plugin.endpointChanged(1);
    expect(screened(plugin, endpoints, atRevision("a"))).toEqual([0, 1]);
    expect(screened(plugin, endpoints, atRevision("b"))).toEqual([]);
    plugin.endpointRemoved(0);
    endpoints.remove(0);
    expect(screened(plugin, endpoints, atRevision("a"))).toEqual([]);
    const slot = endpoints.add({ ...endpoints.description[2], id: "default/new" });
    describeAs(endpoints, slot, ["b", "prefill"]);
    plugin.endpointAdded(slot);
    expect(screened(plugin, endpoints, atRevision("b"))).toHaveLength(2);
  });

  it("tells the labels of the endpoint that served, also where it is another one or gone", () => {
    const endpoints = pool([
      ["a", "decode", { [SLICE]: "1" }],
      ["b", "decode"],
    ]);
    const plugin = make(disaggregatedsetRolloutScreener, paramsOf("disabled", []), endpoints);
    const told = (moves: boolean) => {
      const request = requestOf(endpoints);
      plugin.preRequest(request, { primary: "default", targets: [targetOf(request, 0)], picks: [] });
      if (moves) plugin.moved(request, targetOf(request, 0), targetOf(request, 1));
      plugin.responseStarted(request);
      return Object.fromEntries(request.responseHeaders);
    };
    expect(told(false)).toEqual({ "x-revision": "a", "x-slice": "1" });
    expect(told(true)).toEqual({ "x-revision": "b" });
    const request = requestOf(endpoints);
    plugin.preRequest(request, { primary: "default", targets: [targetOf(request, 0)], picks: [] });
    endpoints.remove(0);
    plugin.responseStarted(request);
    expect(request.responseHeaders.get("x-revision")).toBe("a");
  });

  it("tells no label that every object knows", () => {
    const given = { headerSelectors: [selector("Slice", "constructor", "prefer")] };
    const plugin = make(disaggregatedsetRolloutScreener, paramsOf("disabled", [], given), pool(A_AND_B));
    const request = requestOf(pool(A_AND_B));
    plugin.preRequest(request, { primary: "default", targets: [targetOf(request, 0)], picks: [] });
    plugin.responseStarted(request);
    expect([...request.responseHeaders]).toEqual([]);
  });

  it("keeps endpoints of one complete revision, in order, out of any pool", () => {
    const pod = fc.tuple(fc.constantFrom("a", "b", "c", ""), fc.constantFrom("prefill", "decode", "encode", ""));
    fc.assert(
      fc.property(fc.array(pod, { maxLength: 30 }), fc.constantFrom("sum", "max-role"), fc.nat(), (pods, mode, key) => {
        const endpoints = pool(pods);
        const kept = screened(make(disaggregatedsetRolloutScreener, paramsOf(mode), endpoints), endpoints, {}, key);
        const complete = new Set(
          ["a", "b", "c"].filter((revision) =>
            ["prefill", "decode"].every((role) => pods.some(([r, o]) => r === revision && o === role)),
          ),
        );
        const of = new Set(kept.map((i) => pods[i][0]));
        expect(of.size).toBe(Math.min(1, complete.size));
        for (const revision of of) expect(complete).toContain(revision);
        expect(kept).toEqual(pods.flatMap(([revision], i) => (of.has(revision) ? [i] : [])));
      }),
    );
  });

  it("screens 1,000 endpoints", () => {
    const pods = Array.from({ length: 1000 }, (_, i): Pod => [`r${i % 5}`, i % 3 === 0 ? "prefill" : "decode"]);
    const endpoints = pool(pods);
    expect(screened(make(disaggregatedsetRolloutScreener, paramsOf(), endpoints), endpoints)).toHaveLength(200);
  });
});

describe("parameters of disaggregatedset-rollout-screener", () => {
  const refused: readonly (readonly [string, object, string])[] = [
    ["no scope", { ...paramsOf(), scope: undefined }, "scope"],
    ["an empty selector", { ...paramsOf(), scope: { labelSelector: "" } }, "a label selector"],
    ["a selector that does not parse", { ...paramsOf(), scope: { labelSelector: "a in b" } }, 'found "b", expected ('],
    ["no gating", { ...paramsOf(), revisionGating: undefined }, "revisionGating"],
    ["another mode", paramsOf("most"), "revisionGating.mode"],
    ["no roles", paramsOf("sum", []), "at least one role"],
    ["an empty role", paramsOf("sum", [""]), "revisionGating.requireRoles.values.0"],
    ["a header without a name", { ...paramsOf(), headerSelectors: [selector("", "a", "strict")] }, ""],
    [
      "a header without a label",
      { ...paramsOf(), headerSelectors: [selector("A", "", "strict")] },
      "the name of a label",
    ],
    ["another mode of a header", { ...paramsOf(), headerSelectors: [selector("A", "a", "maybe")] }, "mode"],
  ];
  it.each(refused)("are refused with %s", (what, params, why) => {
    const given = what.includes("without a name")
      ? { ...paramsOf(), headerSelectors: [{ headerName: " ", labelKey: "a", mode: "strict" }] }
      : params;
    const { error } = disaggregatedsetRolloutScreener.params.safeParse(given);
    expect(error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join()).toContain(why);
  });
});

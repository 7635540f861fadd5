import { describe, expect, it } from "vitest";
import { compilePlan } from "../config/compile-plan.ts";
import { Core } from "../core/core.ts";
import type { Decision } from "../core/decision.ts";
import { Endpoints } from "../core/endpoints.ts";
import type { ConfigSource } from "../core/events.ts";
import type { Notice } from "../core/notices.ts";
import { REJECTION_STATUS } from "../core/rejection.ts";
import type { RequestFacts } from "../core/request-facts.ts";
import { endpoint, facts } from "../core/test-support/test-plan.ts";
import { pluginType } from "./list.ts";
import type { Signals } from "./test-support/fixture.ts";
import { make, picksOf, poolOf, requestOf, scoresOf } from "./test-support/fixture.ts";

/**
 * The traps of `spec/plugins.md` 15 that belong to no single plugin. 2, 3 and 4 are pinned beside the prefix producer, 7
 * in `core/request-run.test.ts` too, 8, 9 and 10 in `config/disaggregation.test.ts`.
 */

const compile = (text: string, options: ConfigSource["options"] = {}) =>
  compilePlan({ text, options }, { endpoints: new Endpoints(), seed: 1, limits: { prefixIndexBytesMax: 1 << 20 } });

/** What becomes of a request of a pool under a config. */
function decided(text: string, pods: readonly Signals[], more: Partial<RequestFacts> = {}): Decision {
  const notices: Notice[] = [];
  const core = new Core({ env: { seed: 1, emit: (notice) => void notices.push(notice) }, compile: compilePlan });
  core.step({ type: "configLoaded", atUs: 0, source: { text, options: { "allow-experimental-plugins": true } } });
  core.step({ type: "objectiveUpserted", atUs: 0, name: "batch", priority: -1 });
  for (const [i, signals] of pods.entries()) {
    const one = endpoint(`pod-${i}`, `10.0.0.${i}`);
    core.step({ type: "endpointUpserted", atUs: 1, endpoint: one });
    const slot = core.endpoints.slotOf(one.id);
    core.step({ type: "signals", atUs: 2, rows: [{ slot, generation: core.endpoints.generation[slot], ...signals }] });
  }
  core.step({ type: "requestArrived", atUs: 3, facts: facts(1, more) });
  const decisions = notices.flatMap((notice) => (notice.type === "decision" ? [notice.decision] : []));
  expect(decisions).toHaveLength(1);
  return decisions[0];
}

describe("traps", () => {
  const scores = (type: string, pods: readonly Signals[]) => {
    const endpoints = poolOf(pods);
    return scoresOf(make(pluginType(type)!, {}, endpoints), requestOf(endpoints));
  };

  it("trap 1: equal queues score 1, not 0 and not 0.5; load-aware-scorer never scores above 0.5", () => {
    for (const load of [0, 7]) {
      const pods = [
        { waiting: load, running: load },
        { waiting: load, running: load },
      ];
      expect(scores("queue-scorer", pods)).toEqual([1, 1]);
      expect(scores("running-requests-size-scorer", pods)).toEqual([1, 1]);
    }
    expect(scores("load-aware-scorer", [{ waiting: 0 }, {}, { waiting: 64 }, { waiting: 128 }])).toEqual([
      0.5, 0.5, 0.25, 0,
    ]);
  });

  it("trap 5: filters that leave nothing are a 429 with a reason, no candidates before them a 503", () => {
    const config = `plugins:
- type: utilization-filter
  parameters: {conditions: [{metric: waiting-queue, maxValue: 1}]}
- type: queue-scorer`;
    const rejected = (pods: readonly Signals[], more: Partial<RequestFacts> = {}) => {
      const { outcome } = decided(config, pods, more);
      if (outcome.kind !== "rejected") return outcome.kind;
      return [REJECTION_STATUS[outcome.rejection.code], outcome.rejection.droppedReason];
    };
    expect(rejected([{ waiting: 2 }, { waiting: 9 }])).toEqual([429, "rejected-saturated"]);
    expect(rejected([])).toEqual([503, "rejected-no-endpoints"]);
    expect(rejected([{ waiting: 0 }], { subset: ["10.9.9.9"] })).toEqual([503, "rejected-no-endpoints"]);
    expect(rejected([{ waiting: 0 }])).toBe("picked");
  });

  it("trap 6: which of equal scores goes first is a draw, the order of the others is not", () => {
    const endpoints = poolOf([{}, {}, {}, {}]);
    const picker = make(pluginType("max-score-picker")!, { maxNumOfEndpoints: 4 }, endpoints);
    const orders = new Set<string>();
    for (let key = 0; key < 200; key++) {
      const { picks } = picksOf(picker, requestOf(endpoints, { key }), [0.5, 2, 2, 1]);
      expect(picks.slice(2)).toEqual([3, 0]);
      orders.add(picks.slice(0, 2).join());
    }
    expect([...orders].toSorted()).toEqual(["1,2", "2,1"]);
  });

  it("trap 7: what probabilistic-admitter refuses is a 500 around its own words", () => {
    const sheddable = { headers: { "x-llm-d-inference-objective": "batch" } };
    const refused = decided(
      "plugins: [{type: probabilistic-admitter}, {type: queue-scorer}]",
      [{ waiting: 4 }],
      sheddable,
    );
    expect(refused.outcome).toEqual({
      kind: "rejected",
      rejection: {
        code: "Internal",
        message:
          "request cannot be admitted: inference error: ResourceExhausted - probabilistic-admitter: rejected, saturation=0.800 prob=1.00",
      },
    });
  });

  it("trap 11: token-load-scorer without an inflight-load-producer of its own does not start", () => {
    expect(() => compile("plugins: [{type: token-load-scorer}]")).toThrow(/UncachedRequestTokens/);
    const both = compile("plugins: [{type: token-load-scorer}, {type: inflight-load-producer}]");
    expect(both.producers.map(({ name }) => name)).toContain("inflight-load-producer");
    // The same data of requests in flight makes its producer where only that is needed.
    expect(compile("plugins: [{type: active-request-scorer}]").producers.map(({ name }) => name)).toContain(
      "inflight-load-producer",
    );
  });

  it("trap 12: what older releases took is taken with a warning, and refused when strict; nonsense always", () => {
    const older: readonly string[] = [
      "plugins: [{type: prefix-cache-scorer, parameters: {hashBlockSize: 64, lruCapacityPerServer: 39744}}]",
      "plugins: [{type: kv-cache-scorer}]",
      "apiVersion: inference.networking.x-k8s.io/v1alpha1\nplugins: [{type: model-server-protocol-metrics}]",
      "plugins: [{type: pd-profile-handler, config: {threshold: 500}}]\nschedulingProfiles: [{name: decode}, {name: prefill}]",
    ];
    for (const text of older) {
      expect([text, compile(text).blueprint.warnings]).not.toEqual([text, []]);
      expect(() => compile(text, { "strict-config": true })).toThrow(/expected|found/);
    }
    for (const text of ["plugins: [{type: load-aware-scorer, parameters: {treshold: 1}}]", "plugin: []"]) {
      expect(() => compile(text)).toThrow(/found/);
      expect(() => compile(text, { "strict-config": true })).toThrow(/found/);
    }
    // Types that ignore their parameters take anything, in both.
    const ignored = "plugins: [{type: queue-scorer, parameters: {whatever: 1}}]";
    expect(() => compile(ignored, { "strict-config": true })).not.toThrow();
  });
});

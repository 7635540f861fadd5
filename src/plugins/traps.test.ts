import { describe, expect, it } from "vitest";
import { compilePlan } from "../config/compile-plan.ts";
import { blockIds, chainBlocks, chainRoot } from "../core/block-ids.ts";
import { Core } from "../core/core.ts";
import { prefixMatchKey } from "../core/data-key.ts";
import { Endpoints } from "../core/endpoints.ts";
import type { ConfigSource } from "../core/events.ts";
import type { Notice } from "../core/notices.ts";
import type { CompilePlan } from "../core/plan.ts";
import { REJECTION_STATUS } from "../core/rejection.ts";
import type { RequestFacts } from "../core/request-facts.ts";
import { endpoint, facts } from "../core/test-support/test-plan.ts";
import { pluginType } from "./list.ts";
import type { Signals } from "./test-support/fixture.ts";
import { make, picksOf, poolOf, requestOf, resultOf, scoresOf, targetOf } from "./test-support/fixture.ts";

/** The traps of `spec/plugins.md` 15; 8, 9 and 10 are in `config/disaggregation.test.ts`. */

const compile = (text: string, options: ConfigSource["options"] = {}) =>
  compilePlan({ text, options }, { endpoints: new Endpoints(), seed: 1, limits: { prefixIndexBytesMax: 1 << 20 } });

/** What becomes of a request of a pool under a config, and all that was said on the way. */
function run(
  text: string,
  pods: readonly Signals[],
  more: Partial<RequestFacts> = {},
  compilesBy = compilePlan as CompilePlan,
) {
  const notices: Notice[] = [];
  const core = new Core({ env: { seed: 1, emit: (notice) => void notices.push(notice) }, compile: compilesBy });
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
  return { decision: decisions[0], notices };
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

  it("trap 2: blocks have 64 tokens at least, each block's own id is hashed before the one before, the last may be short", () => {
    const endpoints = poolOf([{ blockSizeTokens: 16 }]);
    const sizes = (params: object) =>
      make(pluginType("approx-prefix-cache-producer")!, params, endpoints).blockSizesTokens();
    expect(sizes({})).toEqual([64]);
    expect(sizes({ autoTune: false, blockSizeTokens: 16 })).toEqual([64]);
    // The vectors of spec/plugins.md 6.1, of blocks of 2 tokens.
    const hashes = (tokens: readonly number[]) => {
      const { blocks } = blockIds([{ bytes: new Uint8Array(Uint32Array.from(tokens).buffer) }], [2]);
      const [{ ids }] = blocks[0].prompts;
      const chained = new Uint32Array(ids.length);
      chainBlocks(chainRoot("m", ""), ids, ids.length / 2, chained, 0);
      const hex = (word: number) => word.toString(16).padStart(8, "0");
      return Array.from({ length: ids.length / 2 }, (_, i) => hex(chained[2 * i + 1]) + hex(chained[2 * i]));
    };
    expect(hashes([1, 2, 3, 4])).toEqual(["bdeada2071943583", "7aacfb531261b051"]);
    expect(hashes([1, 2, 3, 4, 5])).toEqual(["bdeada2071943583", "7aacfb531261b051", "7e59226481d5dbc3"]);
  });

  /** A prefix producer over three pods, what it tells of a prompt of so many tokens, and what the scorer makes of it. */
  const prefixScene = (params: object) => {
    const endpoints = poolOf([{}, {}, {}]);
    const producer = make(pluginType("approx-prefix-cache-producer")!, params, endpoints);
    const scorer = make(pluginType("prefix-cache-scorer")!, {}, endpoints);
    return (tokens: number, row?: number, from = 0) => {
      const bytes = new Uint8Array(Uint32Array.from({ length: tokens }, (_, i) => from + i).buffer);
      const request = requestOf(endpoints, blockIds([{ bytes }], [64]));
      producer.produce(request);
      const match = request.get(prefixMatchKey("approx-prefix-cache-producer"))!;
      const result = { blocks: [...match.matchBlocks], total: match.totalBlocks, scores: scoresOf(scorer, request) };
      if (row !== undefined) producer.preRequest(request, resultOf([targetOf(request, row)]));
      return result;
    };
  };

  it("trap 3: an endpoint's matched blocks count where another one holds what is between them", () => {
    const send = prefixScene({ autoTune: false, blockSizeTokens: 64, lruCapacityPerServer: 2 });
    send(128, 0);
    // Another prompt takes the place of the first block there; pod 1 gets that block alone.
    send(64, 0, 1000);
    send(64, 1);
    expect(send(128).blocks).toEqual([1, 1, 0]);
  });

  it("trap 4: prefix-cache-scorer counts the short last block among all, and scores 0 without tokens", () => {
    const send = prefixScene({});
    send(128, 0);
    expect(send(130)).toEqual({ blocks: [2, 0, 0], total: 3, scores: [2 / 3, 0, 0] });
    expect(send(0)).toEqual({ blocks: [0, 0, 0], total: 0, scores: [0, 0, 0] });
  });

  it("trap 5: filters that leave nothing are a 429 with a reason, no candidates before them a 503", () => {
    const config = `plugins:
- type: utilization-filter
  parameters: {conditions: [{metric: waiting-queue, maxValue: 1}]}
- type: queue-scorer`;
    const rejected = (pods: readonly Signals[], more: Partial<RequestFacts> = {}) => {
      const { outcome } = run(config, pods, more).decision;
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

  it("trap 7: the first producer that fails ends the others, not the request; what an admitter refuses is a 500", () => {
    const ran: string[] = [];
    const producer = (name: string, outcome: string | undefined) => ({
      name,
      type: "test",
      plugin: { produce: () => (ran.push(name), outcome) },
    });
    const failing: CompilePlan = (source, context) => ({
      ...compilePlan(source, context),
      producers: [producer("first", undefined), producer("second", "no luck"), producer("third", undefined)],
    });
    const { decision, notices } = run("plugins: [{type: queue-scorer}]", [{}], {}, failing);
    expect(decision.outcome.kind).toBe("picked");
    expect(ran).toEqual(["first", "second"]);
    expect(notices).toContainEqual({ type: "producerFailed", request: 1, plugin: "second", cause: "no luck" });

    const sheddable = { headers: { "x-llm-d-inference-objective": "batch" } };
    const refused = run("plugins: [{type: probabilistic-admitter}, {type: queue-scorer}]", [{ waiting: 4 }], sheddable);
    expect(refused.decision.outcome).toEqual({
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

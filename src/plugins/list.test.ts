import { describe, expect, it } from "vitest";
import type { PluginPoint, Stability } from "../core/plugin.ts";
import { PLUGINS, pluginType, pluginTypeNames } from "./list.ts";
import { UNBUILT_TYPES } from "./known-types.ts";
import { UNBUILT } from "./unbuilt/list.ts";

/** Index of the recorded stock release's types (spec/plugins.md 0), with where each takes part. */
const INDEX: readonly (readonly [string, PluginPoint, Stability?])[] = [
  ["disaggregatedset-rollout-screener", "screener", "alpha"],
  ["label-selector-filter", "filter"],
  ["by-label-selector", "filter", "deprecated"],
  ["by-label", "filter", "deprecated"],
  ["decode-filter", "filter"],
  ["prefill-filter", "filter"],
  ["encode-filter", "filter"],
  ["session-affinity-filter", "filter", "alpha"],
  ["multicluster-session-affinity-filter", "filter", "alpha"],
  ["endpoint-attribute-filter", "filter", "alpha"],
  ["utilization-filter", "filter", "alpha"],
  ["topology-affinity-filter", "filter", "alpha"],
  ["prefix-cache-affinity-filter", "filter"],
  ["slo-headroom-tier-filter", "filter"],
  ["header-based-testing-filter", "filter"],
  ["queue-scorer", "scorer"],
  ["multicluster-queue-scorer", "scorer", "alpha"],
  ["running-requests-size-scorer", "scorer"],
  ["kv-cache-utilization-scorer", "scorer"],
  ["multicluster-kv-cache-utilization-scorer", "scorer", "alpha"],
  ["load-aware-scorer", "scorer"],
  ["lora-affinity-scorer", "scorer"],
  ["prefix-cache-scorer", "scorer"],
  ["multicluster-prefix-cache-scorer", "scorer", "alpha"],
  ["precise-prefix-cache-scorer", "scorer"],
  ["active-request-scorer", "scorer"],
  ["token-load-scorer", "scorer"],
  ["context-length-aware", "scorer"],
  ["endpoint-attribute-scorer", "scorer", "alpha"],
  ["header-label-affinity-scorer", "scorer", "alpha"],
  ["session-affinity-scorer", "scorer", "alpha"],
  ["no-hit-lru-scorer", "scorer"],
  ["latency-scorer", "scorer"],
  ["mm-embeddings-cache-scorer", "scorer"],
  ["topology-affinity-scorer", "scorer", "alpha"],
  ["max-score-picker", "picker"],
  ["random-picker", "picker"],
  ["weighted-random-picker", "picker"],
  ["single-profile-handler", "profileHandler"],
  ["header-profile-handler", "profileHandler", "alpha"],
  ["data-parallel-profile-handler", "profileHandler"],
  ["disagg-profile-handler", "profileHandler"],
  ["pd-profile-handler", "profileHandler", "deprecated"],
  ["disagg-headers-handler", "requestControl", "deprecated"],
  ["prefill-header-handler", "requestControl", "deprecated"],
  ["always-disagg-pd-decider", "decider"],
  ["prefix-based-pd-decider", "decider"],
  ["always-disagg-multimodal-decider", "decider"],
  ["approx-prefix-cache-producer", "producer"],
  ["multicluster-approx-prefix-cache-producer", "producer", "alpha"],
  ["burst-prefix-cache-producer", "producer", "alpha"],
  ["token-producer", "producer"],
  ["tokenizer", "producer"],
  ["precise-prefix-cache-producer", "producer"],
  ["inflight-load-producer", "producer"],
  ["mm-embeddings-cache-producer", "producer"],
  ["session-id-producer", "producer"],
  ["p2p-source-producer", "producer", "alpha"],
  ["predicted-latency-producer", "producer"],
  ["utilization-detector", "saturationDetector"],
  ["concurrency-detector", "saturationDetector"],
  ["global-strict-fairness-policy", "fairnessPolicy"],
  ["round-robin-fairness-policy", "fairnessPolicy"],
  ["program-aware-fairness", "fairnessPolicy"],
  ["fcfs-ordering-policy", "orderingPolicy"],
  ["edf-ordering-policy", "orderingPolicy"],
  ["slo-deadline-ordering-policy", "orderingPolicy"],
  ["static-usage-limit-policy", "usageLimitPolicy"],
  ["priority-holdback-policy", "usageLimitPolicy", "alpha"],
  ["soft-reflective-ceiling-policy", "usageLimitPolicy", "alpha"],
  ["sheddable-eviction-filter", "evictionPolicy", "alpha"],
  ["priority-then-time-eviction-order-policy", "evictionPolicy", "alpha"],
  ["openai-parser", "parser"],
  ["anthropic-parser", "parser"],
  ["vllmhttp-parser", "parser"],
  ["sglanghttp-parser", "parser"],
  ["vllmgrpc-parser", "parser"],
  ["vertexai-parser", "parser"],
  ["passthrough-parser", "parser"],
  ["latency-slo-admitter", "admitter"],
  ["probabilistic-admitter", "admitter"],
  ["agent-identity", "requestControl", "alpha"],
  ["request-attribute-reporter", "requestControl"],
  ["destination-endpoint-served-verifier", "requestControl"],
  ["metrics-data-source", "dataSource"],
  ["multicluster-metrics-data-source", "dataSource", "alpha"],
  ["core-metrics-extractor", "extractor"],
  ["multicluster-metrics-extractor", "extractor", "alpha"],
  ["models-data-source", "dataSource"],
  ["models-data-extractor", "extractor"],
  ["dcgm-data-source", "dataSource", "alpha"],
  ["dcgm-extractor", "extractor", "alpha"],
  ["topology-extractor", "extractor", "alpha"],
  ["k8s-notification-source", "dataSource"],
  ["endpoint-notification-source", "dataSource"],
  ["file-discovery", "discovery"],
  ["multicluster-file-discovery", "discovery", "alpha"],
];

/** Names that only older releases know. */
const OLDER = ["kv-cache-scorer", "model-server-protocol-metrics"];

describe("the index of types", () => {
  for (const [name, point, stability = "beta"] of INDEX) {
    it(`has ${name}`, () => {
      const definition = pluginType(name)!;
      expect([definition.stability ?? "beta", definition.points]).toEqual([
        stability,
        expect.arrayContaining([point]) as unknown,
      ]);
    });
  }

  it("has the older names, and none twice", () => {
    const names = [...PLUGINS, ...UNBUILT].flatMap(({ type, aliases = [] }) => [type, ...aliases]);
    expect(names).toEqual(expect.arrayContaining(OLDER));
    expect(new Set(names).size).toBe(names.length);
    expect([...pluginTypeNames()].toSorted()).toEqual(names.toSorted());
  });

  it("names as not built what cannot be made, and nothing else", () => {
    for (const name of pluginTypeNames()) {
      const { type, isBuilt } = pluginType(name)!;
      expect([type, type in UNBUILT_TYPES]).toEqual([type, isBuilt === false]);
    }
    expect("constructor" in UNBUILT_TYPES).toBe(false);
  });

  it("tells what a deprecated type gives way to", () => {
    for (const { type, stability, replacedBy } of [...PLUGINS, ...UNBUILT]) {
      if (stability !== "deprecated") expect([type, replacedBy]).toEqual([type, undefined]);
      else expect(pluginType(replacedBy!)?.type).toBe(replacedBy);
    }
  });
});

describe("a type that is not built", () => {
  for (const { type, create } of UNBUILT) {
    it(`refuses to be made: ${type}`, () => {
      expect(() => create(undefined, undefined as never)).toThrow(`Cannot make a plugin of type ${type}`);
    });
  }
});

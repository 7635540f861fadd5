import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { PLUGINS, pluginType } from "./list.ts";
import { UNBUILT } from "./unbuilt/list.ts";

const ALL = [...PLUGINS, ...UNBUILT];

/** Parameters of the types that need some; all others take none. */
const NEEDED: Readonly<Record<string, object>> = {
  "by-label": { label: "a", validValues: ["b"] },
  "decision-tree-filter": { current: { pluginRef: "least-queue-filter" } },
  "disaggregatedset-rollout-screener": { scope: { labelSelector: "a=b" }, revisionGating: { mode: "disabled" } },
  "endpoint-attribute-filter": {
    attribute: "GPUUtilization",
    algorithm: { type: "threshold", threshold: { operator: "LessThan", value: 0.9 } },
  },
  "endpoint-attribute-scorer": { attributeKey: "GPUUtilization", algorithm: { type: "linear_lower_is_better" } },
  "file-discovery": { path: "endpoints.yaml" },
  "header-label-affinity-scorer": { headerName: "X-Slice", labelKey: "slice" },
  "k8s-notification-source": { version: "v1", kind: "Pod" },
  "multicluster-file-discovery": { path: "clusters.yaml" },
  "priority-holdback-policy": { minCeiling: 0.5 },
  "request-attribute-reporter": { attributes: [{ key: { name: "cost" }, expression: "usage.prompt_tokens" }] },
  "session-id-producer": { headerName: "X-Session" },
  "utilization-filter": { conditions: [{ metric: "waiting-queue", maxValue: 5 }] },
};

type Definition = z.core.$ZodTypes["_zod"]["def"];

/** What is inside a schema, without what wraps it. */
function definitionOf(schema: z.core.$ZodType): Definition {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === "pipe") return definitionOf(def.in);
  return "innerType" in def ? definitionOf(def.innerType) : def;
}

/** Paths of all parameters, those in maps too. */
function pathsOf(schema: z.core.$ZodType, path: readonly string[] = []): (readonly string[])[] {
  const definition = definitionOf(schema);
  if (definition.type !== "object") return [path];
  const inner = Object.entries(definition.shape).flatMap(([key, value]) => pathsOf(value, [...path, key]));
  return path.length === 0 ? inner : [path, ...inner];
}

/** The object with a value at a path; maps on the way are made. */
function withValue(object: object, [key, ...rest]: readonly string[], value: unknown): object {
  const under = (object as Record<string, object | undefined>)[key];
  return { ...object, [key]: rest.length === 0 ? value : withValue(under ?? {}, rest, value) };
}

/** Wrong for a text, a number, a switch, a map, and as the element of any list. */
const WRONG = [[[[]]]];

it("the walk over parameters sees those in maps", () => {
  expect(pathsOf(pluginType("session-affinity-scorer")!.params).map((path) => path.join("."))).toEqual([
    "strategy",
    "encodedEndpointHeaderConfig",
    "encodedEndpointHeaderConfig.header",
    "sessionIdConfig",
    "sessionIdConfig.sources",
    "sessionIdConfig.evictionTtlSeconds",
    "sessionIdConfig.evictionSweepSeconds",
    "profileName",
  ]);
});

describe("parameters", () => {
  for (const { type, params, ignoresParams } of ALL) {
    const needed = NEEDED[type] ?? {};
    it(`of ${type} may be left out but for those that it needs`, () => {
      expect(params.safeParse(needed).error).toBeUndefined();
      expect(params.safeParse({}).success).toBe(!(type in NEEDED));
    });
    if (ignoresParams) continue;
    it(`of ${type} are refused when they are unknown or of a wrong type`, () => {
      expect(params.safeParse({ ...needed, nonsense: 1 }).success).toBe(false);
      for (const path of pathsOf(params)) {
        if (path.length === 0) continue;
        expect([path, params.safeParse(withValue(needed, path, WRONG)).success]).toEqual([path, false]);
        const definition = path.reduce((schema, key) => {
          const inner = definitionOf(schema);
          return inner.type === "object" ? inner.shape[key] : schema;
        }, params as z.core.$ZodType);
        if (definitionOf(definition).type !== "object") continue;
        const unknown = params.safeParse(withValue(needed, [...path, "nonsense"], 1));
        expect([path, "nonsense", unknown.success]).toEqual([path, "nonsense", false]);
      }
    });
    it(`of ${type} say what they are`, () => {
      for (const path of pathsOf(params)) {
        let schema: z.core.$ZodType = params;
        for (const key of path) {
          const inner = definitionOf(schema);
          if (inner.type === "object") schema = inner.shape[key];
        }
        if (path.length === 1) expect([path, (schema as z.ZodType).description]).not.toEqual([path, undefined]);
      }
    });
  }
});

/** Defaults as spec/plugins.md tells them. */
const DEFAULTS: readonly (readonly [string, object])[] = [
  ["load-aware-scorer", { threshold: 128 }],
  ["context-length-aware", { label: "llm-d.ai/context-length-range", enableFiltering: false }],
  ["latency-scorer", { ttftWeight: 0.8, tpotWeight: 0.2, headroomSelectionStrategy: "least", compositeKVWeight: 1 }],
  ["mm-embeddings-cache-scorer", { producerName: "mm-embeddings-cache-producer" }],
  ["multicluster-prefix-cache-scorer", { matchLengthScaleTokens: 8192, matchLengthWeight: 0 }],
  [
    "session-affinity-scorer",
    {
      strategy: "encoded_endpoint_header",
      encodedEndpointHeaderConfig: { header: "x-session-token" },
      sessionIdConfig: { sources: [{ header: "x-session-id" }], evictionTtlSeconds: 300, evictionSweepSeconds: 10 },
    },
  ],
  ["topology-affinity-filter", { minAffinity: "host" }],
  [
    "prefix-cache-affinity-filter",
    {
      affinityThreshold: 0.8,
      explorationProbability: 0,
      maxTTFTPenaltyMs: 18_000,
      ttftSource: "prefillThroughput",
      peakPrefillThroughput: 15_928,
    },
  ],
  ["slo-headroom-tier-filter", { epsilonExploreNeg: 0.01 }],
  ["endpoint-attribute-filter", { onMissing: "Pass", fallbackOnEmpty: false }],
  ["weighted-random-picker", { maxNumOfEndpoints: 1 }],
  ["header-profile-handler", { headerName: "epp-profile", defaultProfile: "decode" }],
  ["data-parallel-profile-handler", { primaryPort: 8000 }],
  [
    "disagg-profile-handler",
    {
      stageOrder: "decode-first",
      profiles: { decode: "decode", prefill: "prefill", encode: "encode" },
      deciders: { prefill: "", encode: "" },
    },
  ],
  ["pd-profile-handler", { primaryPort: 0, deciderPluginName: "prefix-based-pd-decider" }],
  ["prefill-header-handler", { prefillProfile: "prefill", encodeProfile: "encode" }],
  ["prefix-based-pd-decider", { nonCachedTokens: 0, promptTokens: 0 }],
  [
    "burst-prefix-cache-producer",
    { windowDurationMs: 100, maxPerReplica: -1, blockSizeTokens: 64, maxBatchSize: 1000, balanceBy: "requests" },
  ],
  ["precise-prefix-cache-producer", { speculativeIndexing: false, speculativeTTL: 2_000_000 }],
  ["mm-embeddings-cache-producer", { cacheSizeInMBPerServer: 4096 }],
  ["p2p-source-producer", { minCachedTokenDelta: 1, prefillProfileName: "prefill" }],
  ["predicted-latency-producer", { sloBufferFactor: 1, streamingMode: false, predictInProduce: true }],
  [
    "concurrency-detector",
    { maxConcurrency: 100, headroom: 0, concurrencyMode: "requests", maxTokenConcurrency: 1_000_000 },
  ],
  [
    "program-aware-fairness",
    {
      strategy: "las",
      evictionTtlSeconds: 3600,
      evictionSweepSeconds: 300,
      lasWeightService: 0.8,
      lasWeightHeadWait: 0.2,
      lasHalfLifeSeconds: 60,
    },
  ],
  ["static-usage-limit-policy", { threshold: 1 }],
  ["priority-holdback-policy", { shape: "linear", domain: "rank", maxCeiling: 1 }],
  ["probabilistic-admitter", { queueDepthThreshold: 5, kvCacheUtilThreshold: 0.8, power: 5, k: 300 }],
  ["metrics-data-source", { scheme: "http", path: "/metrics", insecureSkipVerify: true, interval: 0 }],
  ["multicluster-metrics-data-source", { scheme: "https", path: "/metrics", insecureSkipVerify: false }],
  ["models-data-source", { scheme: "http", path: "/v1/models", insecureSkipVerify: true }],
  ["dcgm-data-source", { port: 9400, useNodeAddress: false }],
  ["topology-extractor", { hostname: "kubernetes.io/hostname", rack: "topology.kubernetes.io/rack" }],
  [
    "multicluster-metrics-extractor",
    {
      kvCacheUtilizationMetric: "llm_d_epp_average_kv_cache_utilization",
      queueSizeMetric: "llm_d_epp_average_queue_size",
    },
  ],
];

describe("defaults", () => {
  for (const [type, defaults] of DEFAULTS) {
    it(`of ${type} are those of the stock release`, () => {
      expect(pluginType(type)!.params.parse(NEEDED[type] ?? {})).toMatchObject(defaults);
    });
  }
});

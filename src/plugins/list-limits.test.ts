import { describe, expect, it } from "vitest";
import { tokenizedPromptKey } from "../core/data-key.ts";
import { pluginType } from "./list.ts";

/** Type, parameters, and where they are refused; nothing where they are taken. */
const CASES: readonly (readonly [string, object, string?])[] = [
  ["load-aware-scorer", { threshold: -3 }],
  ["load-aware-scorer", { threshold: 1.5 }, "threshold"],
  ["context-length-aware", { label: "" }, "label"],
  ["header-label-affinity-scorer", { labelKey: "a" }, "headerName"],
  ["header-label-affinity-scorer", { headerName: " ", labelKey: "a" }, "headerName"],
  ["endpoint-attribute-scorer", { attributeKey: "a" }, "algorithm"],
  ["endpoint-attribute-scorer", { attributeKey: "a", algorithm: { type: "linear" } }, "algorithm.type"],
  ["endpoint-attribute-scorer", { attributeKey: "a/b", algorithm: { type: "linear_lower_is_better" } }, "attributeKey"],
  ["endpoint-attribute-scorer", { attributeKey: "a/b", producer: "", algorithm: { type: "linear_lower_is_better" } }],
  [
    "endpoint-attribute-scorer",
    {
      attributeKey: "a",
      algorithm: { type: "linear_lower_is_better", normalization: { fixedRange: { min: 2, max: 1 } } },
    },
    "algorithm.normalization.fixedRange",
  ],
  [
    "endpoint-attribute-scorer",
    {
      attributeKey: "a",
      algorithm: {
        type: "linear_lower_is_better",
        normalization: { fixedRange: { min: 0, max: 1 }, adaptiveRange: {} },
      },
    },
    "algorithm.normalization",
  ],
  ["session-affinity-scorer", { strategy: "x" }, "strategy"],
  ["session-affinity-scorer", { strategy: "" }],
  [
    "session-affinity-filter",
    { sessionIdConfig: { sources: [{ header: "a", attribute: "b" }] } },
    "sessionIdConfig.sources.0",
  ],
  ["session-affinity-filter", { sessionIdConfig: { sources: [{}] } }, "sessionIdConfig.sources.0"],
  ["session-affinity-filter", { sessionIdConfig: { evictionTtlSeconds: 0 } }],
  ["session-affinity-filter", { sessionIdConfig: { evictionTtlSeconds: -1 } }, "sessionIdConfig.evictionTtlSeconds"],
  ["by-label", { label: "a", validValues: [] }, "validValues"],
  ["by-label", { label: "a", allowsNoLabel: true }],
  ["by-label", { validValues: ["a"] }, "label"],
  ["label-selector-filter", { matchExpressions: [{ key: "a", operator: "Like" }] }, "matchExpressions.0.operator"],
  ["label-selector-filter", { matchExpressions: [{ key: "a", operator: "In" }] }, "matchExpressions.0.values"],
  [
    "label-selector-filter",
    { matchExpressions: [{ key: "a", operator: "Exists", values: ["x"] }] },
    "matchExpressions.0.values",
  ],
  ["label-selector-filter", { matchLabels: { "llm-d.ai/role": "decode" } }],
  ["label-selector-filter", { matchLabels: { "llm-d.ai/": "decode" } }, "matchLabels.llm-d.ai/"],
  ["label-selector-filter", { matchLabels: { a: "no spaces" } }, "matchLabels.a"],
  ["label-selector-filter", { matchLabels: { ["a".repeat(64)]: "x" } }, `matchLabels.${"a".repeat(64)}`],
  ["utilization-filter", { conditions: [] }, "conditions"],
  ["utilization-filter", { conditions: [{ metric: "waiting-queue" }] }, "conditions.0.maxValue"],
  ["utilization-filter", { conditions: [{ metric: "heat", maxValue: 1 }] }, "conditions.0.metric"],
  ["utilization-filter", { conditions: [{ metric: "kv-cache-utilization", maxValue: 2 }] }, "conditions.0.maxValue"],
  ["prefix-cache-affinity-filter", { affinityThreshold: 1.1 }, "affinityThreshold"],
  ["prefix-cache-affinity-filter", { peakPrefillThroughput: 0 }, "peakPrefillThroughput"],
  ["prefix-cache-affinity-filter", { peakPrefillThroughput: 0, maxTTFTPenaltyMs: 0 }],
  ["prefix-cache-affinity-filter", { ttftSource: "guess" }, "ttftSource"],
  ["slo-headroom-tier-filter", { epsilonExploreNeg: 1.1 }, "epsilonExploreNeg"],
  ["topology-affinity-filter", { minAffinity: "planet" }, "minAffinity"],
  ["data-parallel-profile-handler", { primaryPort: 0 }],
  ["data-parallel-profile-handler", { primaryPort: 70_000 }, "primaryPort"],
  ["disagg-profile-handler", { stageOrder: "Prefill_First" }],
  ["disagg-profile-handler", { stageOrder: "both" }, "stageOrder"],
  ["disagg-profile-handler", { decodeProfile: "d", deciders: { prefill: "x" } }, "decodeProfile"],
  ["disagg-profile-handler", { stageOrder: "prefill-first", deciders: { prefill: "x" } }, "deciders.prefill"],
  ["disagg-profile-handler", { stageOrder: "prefill-first", deciderPluginName: "x" }, "deciderPluginName"],
  ["pd-profile-handler", { threshold: 10 }, ""],
  ["prefix-based-pd-decider", { nonCachedTokens: -1 }, "nonCachedTokens"],
  ["burst-prefix-cache-producer", { windowDurationMs: 0 }, "windowDurationMs"],
  ["burst-prefix-cache-producer", { maxPerReplica: 0 }, "maxPerReplica"],
  ["burst-prefix-cache-producer", { maxPrefixTokensToMatch: 63 }, "maxPrefixTokensToMatch"],
  ["session-id-producer", { headerName: "a", cookieName: "b" }, "headerName"],
  ["session-id-producer", { cookieName: "b" }],
  ["p2p-source-producer", { minCachedTokenDelta: 0 }, "minCachedTokenDelta"],
  ["predicted-latency-producer", { sloBufferFactor: 0 }, "sloBufferFactor"],
  ["precise-prefix-cache-producer", { indexerConfig: { tokenizersPoolConfig: {} } }, "indexerConfig"],
  [
    "precise-prefix-cache-producer",
    { tokenProcessorConfig: { hashAlgorithm: "md5" } },
    "tokenProcessorConfig.hashAlgorithm",
  ],
  ["precise-prefix-cache-scorer", { indexerConfig: { tokenizersPoolConfig: { modelName: "m" } } }],
  ["precise-prefix-cache-scorer", { speculativeTTL: "soon" }, "speculativeTTL"],
  ["token-producer", { modelName: "m", vllm: {}, estimate: {} }, "vllm"],
  ["token-producer", { vllm: { url: "http://127.0.0.1:1" } }, "modelName"],
  ["token-producer", { modelName: "m", vllm: { timeout: "0s" } }, "vllm.timeout"],
  ["concurrency-detector", { maxConcurrency: 0 }, "maxConcurrency"],
  ["concurrency-detector", { concurrencyMode: "x" }, "concurrencyMode"],
  ["program-aware-fairness", { strategy: "drr" }, "strategy"],
  ["program-aware-fairness", { evictionSweepSeconds: 0 }, "evictionSweepSeconds"],
  ["priority-holdback-policy", {}, "minCeiling"],
  ["priority-holdback-policy", { minCeiling: 0.5, maxCeiling: 0.5 }, "maxCeiling"],
  ["disaggregatedset-rollout-screener", { scope: { labelSelector: "a=b" } }, "revisionGating"],
  [
    "disaggregatedset-rollout-screener",
    { scope: { labelSelector: "a=b" }, revisionGating: { mode: "sum" } },
    "revisionGating.requireRoles.values",
  ],
  ["probabilistic-admitter", { k: 0 }, "k"],
  ["request-attribute-reporter", { attributes: [] }, "attributes"],
  [
    "request-attribute-reporter",
    { attributes: [{ key: { name: "x" }, expression: "1 +" }] },
    "attributes.0.expression",
  ],
  ["request-attribute-reporter", { attributes: [{ key: { name: "x" }, expression: "(1" }] }, "attributes.0.expression"],
  [
    "request-attribute-reporter",
    {
      attributes: [
        { key: { name: "x" }, expression: "usage.a + usage.b\n", condition: "has(usage.a) && has(usage.b)" },
      ],
    },
  ],
  ["k8s-notification-source", { group: "apps", version: "v1" }, "kind"],
  ["dcgm-data-source", { port: 0 }, "port"],
  ["models-data-source", { clientCertPath: "a.pem" }, "clientKeyPath"],
  ["multicluster-file-discovery", { path: "" }, "path"],
];

describe("limits of parameters", () => {
  for (const [type, params, refusedAt] of CASES) {
    it(`of ${type} ${refusedAt === undefined ? "take" : "refuse"} ${JSON.stringify(params)}`, () => {
      const { error } = pluginType(type)!.params.safeParse(params);
      const paths = error?.issues.map(({ path }) => path.join("."));
      expect(paths).toEqual(refusedAt === undefined ? undefined : [refusedAt]);
    });
  }

  it("of the recorded release are narrower where newer and older ones take more", () => {
    const narrower = (type: string, params: object) => {
      const definition = pluginType(type)!;
      expect(definition.params.safeParse(params).success).toBe(true);
      expect(definition.stockParams!.safeParse(params).success).toBe(false);
    };
    narrower("program-aware-fairness", { strategy: "turn-priority" });
    narrower("precise-prefix-cache-scorer", { indexerConfig: { tokenizersPoolConfig: { modelName: "m" } } });
  });

  it("give the flat form of disagg-profile-handler the nested one's meaning", () => {
    const parse = (params: object) => pluginType("disagg-profile-handler")!.params.parse(params);
    const nested = parse({ profiles: { decode: "d", prefill: "p" }, deciders: { prefill: "x", encode: "y" } });
    const old = { decodeProfile: "d", prefillProfile: "p", deciderPluginName: "x", encodeDeciderPluginName: "y" };
    expect(parse(old)).toEqual(nested);
    expect(nested).toMatchObject({ profiles: { encode: "encode" } });
  });
});

/** Data that a producer gives under its own name, by kind. */
const PRODUCERS: Readonly<Record<string, string>> = {
  "GPUUtilization/dcgm-extractor": "dcgm-extractor",
  "InFlightLoad/inflight-load-producer": "inflight-load-producer",
  "KVCacheUsagePercent/core-metrics-extractor": "core-metrics-extractor",
  "LatencyPredictionInfo/predicted-latency-producer": "predicted-latency-producer",
  "MultiModalEncoderCacheMatchInfo/mm-embeddings-cache-producer": "mm-embeddings-cache-producer",
  "PrefixCacheMatchInfo/approx-prefix-cache-producer": "approx-prefix-cache-producer",
  "PrefixCacheMatchInfo/burst-prefix-cache-producer": "burst-prefix-cache-producer",
  "PrefixCacheMatchInfo/multicluster-approx-prefix-cache-producer": "multicluster-approx-prefix-cache-producer",
  "PrefixCacheMatchInfo/precise-prefix-cache-producer": "precise-prefix-cache-producer",
  "SessionIDDataKey/session-id-producer": "session-id-producer",
  "TokenizedPrompt/token-producer": "token-producer",
  "Topology/topology-extractor": "topology-extractor",
  "UncachedRequestTokens/inflight-load-producer": "inflight-load-producer",
  "llm-d.ai/multicluster-queue-size/multicluster-metrics-extractor": "multicluster-metrics-extractor",
};

describe("data", () => {
  const dataOf = (type: string, params: object = {}) => {
    const definition = pluginType(type)!;
    return definition.data?.(definition.params.parse(params), type) ?? {};
  };

  for (const [id, type] of Object.entries(PRODUCERS)) {
    it(`${id} come from ${type}`, () => {
      const params = type === "session-id-producer" ? { cookieName: "s" } : {};
      expect(dataOf(type, params).produces?.map((key) => key.id)).toContain(id);
    });
  }

  const requiresOf = (type: string, params: object = {}) => dataOf(type, params).requires?.map(({ id }) => id) ?? [];
  const CONSUMERS: readonly (readonly [string, object, readonly string[]])[] = [
    ["context-length-aware", {}, ["TokenizedPrompt/token-producer"]],
    [
      "disagg-profile-handler",
      {},
      ["PrefixCacheMatchInfo/approx-prefix-cache-producer", "TokenizedPrompt/token-producer"],
    ],
    [
      "pd-profile-handler",
      { prefixMatchInfoProducerName: "p" },
      ["PrefixCacheMatchInfo/p", "TokenizedPrompt/token-producer"],
    ],
    ["concurrency-detector", { inFlightLoadProducerName: "l" }, ["InFlightLoad/l"]],
    ["utilization-filter", { conditions: [{ metric: "waiting-queue", maxValue: 1 }] }, []],
    [
      "utilization-filter",
      { conditions: [{ metric: "active-requests", maxValue: 1 }] },
      ["InFlightLoad/inflight-load-producer"],
    ],
    [
      "prefix-cache-affinity-filter",
      {},
      ["PrefixCacheMatchInfo/approx-prefix-cache-producer", "InFlightLoad/inflight-load-producer"],
    ],
    [
      "prefix-cache-affinity-filter",
      { ttftSource: "latencyPredictor" },
      ["PrefixCacheMatchInfo/approx-prefix-cache-producer", "LatencyPredictionInfo/predicted-latency-producer"],
    ],
    ["prefix-cache-affinity-filter", { maxTTFTPenaltyMs: 0 }, ["PrefixCacheMatchInfo/approx-prefix-cache-producer"]],
    ["multicluster-prefix-cache-scorer", {}, ["PrefixCacheMatchInfo/multicluster-approx-prefix-cache-producer"]],
  ];
  for (const [type, params, ids] of CONSUMERS) {
    it(`of ${type} ${JSON.stringify(params)} are ${ids.join(", ") || "none"}`, () => {
      expect(requiresOf(type, params)).toEqual(ids);
    });
  }

  it("of a consumer are all known to some producer", () => {
    expect(tokenizedPromptKey("token-producer").id in PRODUCERS).toBe(true);
    for (const type of [
      "latency-scorer",
      "latency-slo-admitter",
      "slo-headroom-tier-filter",
      "mm-embeddings-cache-scorer",
    ])
      for (const id of requiresOf(type)) expect([type, id, id in PRODUCERS]).toEqual([type, id, true]);
  });

  it("name deciders as references", () => {
    const references = (type: string, params: object) => {
      const definition = pluginType(type)!;
      return definition.references!(definition.params.parse(params));
    };
    expect(references("pd-profile-handler", {})).toEqual([
      { path: ["deciderPluginName"], name: "prefix-based-pd-decider", point: "decider" },
    ]);
    expect(references("disagg-profile-handler", {})).toEqual([]);
    expect(references("disagg-profile-handler", { deciders: { prefill: "x", encode: "y" } })).toEqual([
      { path: ["deciders", "prefill"], name: "x", point: "decider" },
      { path: ["deciders", "encode"], name: "y", point: "decider" },
    ]);
  });
});

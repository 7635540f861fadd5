import fc from "fast-check";
import type { PluginInstance } from "../../core/plugin.ts";
import type { RequestState } from "../../core/request-state.ts";
import { resultOf, targetOf } from "./fixture.ts";

/** How the properties of a filter are tested. */
export interface FilterEntry {
  readonly params: fc.Arbitrary<object>;
  /** Why what is kept may stand in another order than the candidates. */
  readonly ownOrder?: string;
  /** True when it never empties a list that has candidates. */
  readonly keepsSome?: true;
  /** Types of the filters that it may name, each by its type and with default parameters. */
  readonly others?: readonly string[];
  /** What happens to an instance before it filters. */
  readonly before?: (plugin: PluginInstance, request: RequestState) => void;
}

const none = fc.constant({});
const shares = fc.double({ min: 0, max: 1, noNaN: true });
const LEVELS = fc.constantFrom("", "host", "rack", "zone", "region");

const bindFirst = (plugin: PluginInstance, request: RequestState): void =>
  plugin.preRequest!(request, resultOf([targetOf(request, 0)]));

const SESSION: FilterEntry = {
  params: fc.constantFrom({}, { strategy: "session_id" }),
  keepsSome: true,
  before: bindFirst,
};

const values = fc.uniqueArray(fc.constantFrom("gold", "silver", ""), { minLength: 1 });
const expressions = fc.oneof(
  fc.record({ key: fc.constant("tier"), operator: fc.constantFrom("In", "NotIn"), values }),
  fc.record({ key: fc.constant("llm-d.ai/role"), operator: fc.constantFrom("Exists", "DoesNotExist") }),
);
const SELECTOR: FilterEntry = {
  params: fc.record(
    {
      matchLabels: fc.constantFrom({}, { tier: "gold" }),
      matchExpressions: fc.array(expressions, { maxLength: 2 }),
    },
    { requiredKeys: [] },
  ),
};

const condition = fc.oneof(
  fc.record({
    metric: fc.constantFrom("active-requests", "running-requests", "waiting-queue"),
    maxValue: fc.double({ min: 0, max: 200, noNaN: true }),
  }),
  fc.record({ metric: fc.constant("kv-cache-utilization"), maxValue: shares }),
);

const TREE_FILTERS = ["decode-filter", "least-queue-filter", "low-queue-filter", "prefill-filter"];
const { tree } = fc.letrec<{ tree: object; entry: object }>((tie) => ({
  entry: fc.oneof(
    { maxDepth: 2 },
    fc.constantFrom(...TREE_FILTERS).map((pluginRef) => ({ pluginRef })),
    tie("tree").map((decisionTree) => ({ decisionTree })),
  ),
  tree: fc.record(
    {
      current: tie("entry"),
      nextOnSuccess: tie("entry"),
      nextOnFailure: tie("entry"),
      nextOnSuccessOrFailure: tie("entry"),
    },
    { requiredKeys: ["current"] },
  ),
}));

/** Entries of the filters that need more than the parameters of their example. */
export const FILTER_ENTRIES: Readonly<Record<string, FilterEntry>> = {
  "by-label": {
    params: fc.record({ label: fc.constant("tier"), validValues: values, allowsNoLabel: fc.boolean() }),
  },
  "by-label-selector": SELECTOR,
  "label-selector-filter": SELECTOR,
  "concurrency-detector": {
    params: fc.record({
      maxConcurrency: fc.integer({ min: 1, max: 200 }),
      headroom: fc.double({ min: 0, max: 2, noNaN: true }),
      concurrencyMode: fc.constantFrom("requests", "tokens", "hybrid"),
      maxTokenConcurrency: fc.integer({ min: 1, max: 1_000_000 }),
    }),
  },
  "context-length-aware": { params: fc.record({ enableFiltering: fc.boolean() }) },
  "decision-tree-filter": { params: tree, others: TREE_FILTERS },
  "decode-filter": { params: none },
  "encode-filter": { params: none },
  "endpoint-attribute-filter": {
    params: fc.record({
      attribute: fc.constantFrom("heat", "unknown"),
      onMissing: fc.constantFrom("Pass", "Fail"),
      fallbackOnEmpty: fc.boolean(),
      algorithm: fc.record({
        type: fc.constant("threshold"),
        threshold: fc.record({
          operator: fc.constantFrom(
            "LessThan",
            "LessThanOrEqual",
            "GreaterThan",
            "GreaterThanOrEqual",
            "Equal",
            "NotEqual",
          ),
          value: fc.integer({ min: -2, max: 200 }),
        }),
      }),
    }),
  },
  "header-based-testing-filter": { params: none, ownOrder: "that of the header" },
  "least-kv-cache-filter": { params: none },
  "least-queue-filter": { params: none },
  "lora-affinity-filter": { params: fc.record({ threshold: fc.double({ min: 0, max: 1, noNaN: true }) }) },
  "low-queue-filter": { params: fc.record({ threshold: fc.integer({ min: 0, max: 200 }) }) },
  "multicluster-session-affinity-filter": SESSION,
  "prefill-filter": { params: none },
  "prefix-cache-affinity-filter": {
    params: fc.record({
      affinityThreshold: fc.double({ min: -1, max: 1, noNaN: true }),
      explorationProbability: shares,
      maxTTFTPenaltyMs: fc.constantFrom(0, 10, 18_000),
      ttftSource: fc.constantFrom("prefillThroughput", "latencyPredictor"),
    }),
    keepsSome: true,
  },
  "session-affinity-filter": SESSION,
  "slo-headroom-tier-filter": { params: fc.record({ epsilonExploreNeg: shares }), keepsSome: true },
  "topology-affinity-filter": { params: fc.record({ minAffinity: LEVELS }), keepsSome: true },
  "utilization-detector": {
    params: fc.record({
      queueDepthThreshold: fc.integer({ min: 1, max: 100 }),
      kvCacheUtilThreshold: fc.double({ min: 0.01, max: 1, noNaN: true }),
      headroom: fc.double({ min: 0, max: 2, noNaN: true }),
    }),
    keepsSome: true,
  },
  "utilization-filter": {
    params: fc.record({
      conditions: fc.array(condition, { minLength: 1, maxLength: 3 }),
      fallbackOnEmpty: fc.boolean(),
    }),
  },
};

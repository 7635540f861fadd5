import fc from "fast-check";
import type { PluginInstance } from "../../core/plugin.ts";
import type { RequestState } from "../../core/request-state.ts";
import { resultOf, targetOf } from "./fixture.ts";
import type { WildPod, WildScene } from "./wild-scene.ts";

/** A signal by which a scorer is monotone: of two pods that differ in it alone, the better one never scores less. */
export interface Monotone {
  readonly name: string;
  readonly better: "lower" | "higher";
  readonly values: fc.Arbitrary<number>;
  readonly set: (pod: WildPod, value: number) => WildPod;
  /** Brings a scene to where the formula is monotone. */
  readonly within?: (scene: WildScene) => WildScene;
  readonly params?: object;
}

/** How the properties of a scorer are tested. */
export interface ScorerEntry {
  readonly params: fc.Arbitrary<object>;
  /** Why it may give NaN for signals that are no finite numbers. */
  readonly passesNaN?: string;
  /** Why the order of the candidates may change scores. */
  readonly mindsOrder?: string;
  /** What happens to an instance before it scores. */
  readonly before?: (plugin: PluginInstance, request: RequestState) => void;
  readonly monotone?: readonly Monotone[];
}

const none = fc.constant({});
const wholes = fc.nat(300);
const shares = fc.double({ min: 0, max: 1, noNaN: true });

const scraped = (pod: WildPod, more: Partial<WildPod>): WildPod => ({ ...pod, isScraped: true, ...more });
const withData = (scene: WildScene, more: Partial<WildScene["request"]> = {}): WildScene => ({
  ...scene,
  request: { ...scene.request, hasData: true, ...more },
});

const WAITING: Monotone = {
  name: "waiting requests",
  better: "lower",
  values: wholes,
  set: (pod, waiting) => scraped(pod, { waiting }),
};
const KV_USAGE: Monotone = {
  name: "KV cache use",
  better: "lower",
  values: shares,
  set: (pod, kvUsage) => scraped(pod, { kvUsage }),
};
const MATCH: Monotone = {
  name: "matched blocks or media",
  better: "higher",
  values: fc.nat(8),
  set: (pod, matchBlocks) => ({ ...pod, matchBlocks }),
  within: (scene) => withData(scene),
};
const TOKENS: Monotone = {
  name: "tokens in flight",
  better: "lower",
  values: fc.nat(5_000_000),
  set: (pod, tokens) => ({ ...pod, tokens }),
};
const LEVELS = ["region", "zone", "rack", "host"] as const;
const NEARNESS: Monotone = {
  name: "nearness to the peer",
  better: "higher",
  values: fc.nat(LEVELS.length),
  set: (pod, level) => {
    const at = (name: (typeof LEVELS)[number]) => (LEVELS.indexOf(name) < level ? "peer" : "elsewhere");
    return {
      ...pod,
      place: { host: at("host"), rack: at("rack"), zone: at("zone"), region: at("region") },
    };
  },
  within: (scene) => {
    const [first, ...others] = scene.pods;
    const peer = { ...first, place: { host: "peer", rack: "peer", zone: "peer", region: "peer" } };
    return { pods: [peer, ...others], request: { ...scene.request, peer: 0 } };
  },
};

const unpredicted = (scene: WildScene): WildScene =>
  withData({ ...scene, pods: scene.pods.map((pod) => ({ ...pod, prediction: undefined })) });
const WITHOUT_PREDICTION = ([WAITING, KV_USAGE, MATCH] as const).map((signal) => ({ ...signal, within: unpredicted }));

const bindFirst = (plugin: PluginInstance, request: RequestState): void =>
  plugin.preRequest!(request, resultOf([targetOf(request, 0)]));

const CLUSTER_SIGNAL: Monotone = {
  name: "what the cluster tells",
  better: "lower",
  values: shares,
  set: (pod, value) => scraped(pod, { heat: value }),
};

const heat = (better: "lower" | "higher"): Monotone => ({
  name: `a custom metric, ${better} first`,
  better,
  values: wholes,
  set: (pod, value) => scraped(pod, { heat: value }),
  params: { attributeKey: "heat", algorithm: { type: `linear_${better}_is_better` } },
});

const prefixParams = fc.record({
  matchLengthWeight: shares,
  matchLengthScaleTokens: fc.integer({ min: 1, max: 9999 }),
});
const weights = fc.double({ min: 0, max: 10, noNaN: true });
const MIN_MAX = "min-max over infinite or absent numbers is none; the data layer refuses such metrics";

/** Entries of the scorers that need more than the parameters of their example. */
export const SCORER_ENTRIES: Readonly<Record<string, ScorerEntry>> = {
  "active-request-scorer": {
    params: fc.record({ idleThreshold: fc.integer({ min: -2, max: 5 }), maxBusyScore: shares }),
    monotone: [
      { name: "requests in flight", better: "lower", values: wholes, set: (pod, requests) => ({ ...pod, requests }) },
    ],
  },
  "context-length-aware": { params: fc.record({ enableFiltering: fc.boolean() }) },
  "endpoint-attribute-scorer": {
    params: fc.record({
      attributeKey: fc.constantFrom("heat", "unknown"),
      algorithm: fc.record(
        {
          type: fc.constantFrom("linear_lower_is_better", "linear_higher_is_better"),
          normalization: fc.constantFrom({}, { adaptiveRange: {} }, { fixedRange: { min: -1, max: 50 } }),
        },
        { requiredKeys: ["type"] },
      ),
    }),
    passesNaN: MIN_MAX,
    monotone: [heat("lower"), heat("higher")],
  },
  "header-label-affinity-scorer": { params: fc.constant({ headerName: "X-Slice", labelKey: "tier" }) },
  "kv-cache-utilization-scorer": {
    params: none,
    passesNaN: "1 - NaN is NaN in stock, too; the data layer refuses such metrics",
    monotone: [KV_USAGE],
  },
  "latency-scorer": {
    params: fc.record({
      ttftWeight: weights,
      tpotWeight: weights,
      headroomSelectionStrategy: fc.constantFrom("least", "most", "x"),
      compositeKVWeight: weights,
      compositeQueueWeight: weights,
      compositePrefixWeight: weights,
    }),
    monotone: WITHOUT_PREDICTION,
  },
  "load-aware-scorer": {
    params: fc.record({ threshold: fc.integer({ min: -1, max: 200 }) }),
    passesNaN: "a queue is a whole number in stock; the data layer refuses other ones",
    monotone: [WAITING],
  },
  "lora-affinity-scorer": { params: none },
  "mm-embeddings-cache-scorer": { params: none, monotone: [MATCH] },
  "multicluster-kv-cache-utilization-scorer": { params: none, monotone: [CLUSTER_SIGNAL] },
  "multicluster-prefix-cache-scorer": { params: prefixParams, monotone: [MATCH] },
  "multicluster-queue-scorer": { params: none, passesNaN: MIN_MAX, monotone: [CLUSTER_SIGNAL] },
  "no-hit-lru-scorer": {
    params: fc.record({ lruSize: fc.integer({ min: -1, max: 5 }) }),
    mindsOrder: "endpoints that took no cold request rank in the order of the candidates, as stock",
  },
  "prefix-cache-scorer": { params: prefixParams, monotone: [MATCH] },
  "queue-scorer": { params: none, passesNaN: MIN_MAX, monotone: [WAITING] },
  "running-requests-size-scorer": {
    params: none,
    passesNaN: MIN_MAX,
    monotone: [
      { name: "running requests", better: "lower", values: wholes, set: (pod, running) => scraped(pod, { running }) },
    ],
  },
  "session-affinity-scorer": {
    params: fc.constantFrom({}, { strategy: "session_id" }),
    before: bindFirst,
  },
  "token-load-scorer": {
    params: fc.record({ queueThresholdTokens: fc.integer({ min: -1, max: 4_194_304 }) }),
    monotone: [
      TOKENS,
      {
        name: "uncached tokens",
        better: "lower",
        values: fc.nat(10_000),
        set: (pod, uncachedTokens) => ({ ...pod, uncachedTokens }),
        within: (scene) => withData(scene),
      },
    ],
  },
  "topology-affinity-scorer": { params: none, monotone: [NEARNESS] },
};

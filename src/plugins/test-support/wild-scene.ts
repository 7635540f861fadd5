import fc from "fast-check";
import type { EndpointTopology } from "../../core/data-key.ts";
import {
  encoderCacheKey,
  latencyPredictionKey,
  PEER_ENDPOINT,
  prefixMatchKey,
  tokenizedPromptKey,
  topologyKey,
  uncachedTokensKey,
} from "../../core/data-key.ts";
import type { Endpoints } from "../../core/endpoints.ts";
import type { LoraSignal } from "../../core/events.ts";
import type { RequestState } from "../../core/request-state.ts";
import { InflightColumns } from "../producers/inflight-columns.ts";
import type { PredictedRow } from "./fixture.ts";
import { poolOf, predictionOf, requestOf } from "./fixture.ts";

/** A pod with everything that any scorer or filter looks at. */
export interface WildPod {
  readonly isScraped: boolean;
  readonly ageUs: number;
  readonly waiting: number;
  readonly running: number;
  readonly kvUsage: number;
  /** The custom metric `heat`, and what the attributes of `NUMBER_ATTRIBUTES` are. */
  readonly heat: number;
  readonly lora: LoraSignal | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly place: EndpointTopology | undefined;
  /** In flight from this picker. */
  readonly requests: number;
  readonly tokens: number;
  readonly matchBlocks: number;
  readonly uncachedTokens: number;
  readonly prediction: PredictedRow | undefined;
}

/** A request with everything that any of them looks at. */
export interface WildRequest {
  readonly key: number;
  readonly model: string;
  readonly inputTokens: number;
  readonly totalBlocks: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Index of its peer among the pods, modulo their number; -1 when there is none. */
  readonly peer: number;
  /** False where no producer has told anything. */
  readonly hasData: boolean;
}

export interface WildScene {
  readonly pods: readonly WildPod[];
  readonly request: WildRequest;
}

/** Attributes that hold `heat`. */
const NUMBER_ATTRIBUTES = ["heat", "llm-d.ai/multicluster-queue-size", "llm-d.ai/multicluster-kv-cache-utilization"];
const PREFIX_PRODUCERS = ["approx-prefix-cache-producer", "multicluster-approx-prefix-cache-producer"];
const TOTAL_BLOCKS = 8;
const NOW_US = 10_000_000;

/** Numbers that no sound server tells. */
const ODD_NUMBERS = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  -1,
  -0,
  -0.5,
  1e308,
  -1e308,
  5e-324,
  2 ** 53 + 2,
];
const wholes = fc.oneof(fc.nat(3), fc.nat(200));
const shares = fc.double({ min: 0, max: 1, noNaN: true });
const odd = (sound: fc.Arbitrary<number>) => fc.oneof({ weight: 2, arbitrary: sound }, fc.constantFrom(...ODD_NUMBERS));

const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const names = (...some: string[]) => fc.uniqueArray(fc.constantFrom(...some));
/** Also what no parser of ranges, roles or selectors expects. */
const anyText = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: "binary", maxLength: 4 }));
const orAnyText = (...texts: string[]) => fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...texts) }, anyText);
const someLabels = fc
  .record(
    {
      "llm-d.ai/role": orAnyText("decode", "prefill", "both", "encode", "Decode", ""),
      "llm-d.ai/context-length-range": orAnyText("0-64", "10-10", "9-5", "-5-10", "x-1", "", "1e3-2e3", "64-4096"),
      tier: orAnyText("gold", "silver", "", " gold"),
    },
    { requiredKeys: [] },
  )
  .map((labels): Readonly<Record<string, string>> => labels as Record<string, string>);
const place = fc.record({
  host: fc.constantFrom("h1", "h2", ""),
  rack: fc.constantFrom("r1", "r2", ""),
  zone: fc.constantFrom("z1", "z2", ""),
  region: fc.constantFrom("g1", ""),
});

function podArbitrary(number: (sound: fc.Arbitrary<number>) => fc.Arbitrary<number>): fc.Arbitrary<WildPod> {
  const headroom = number(fc.integer({ min: -50, max: 200 }));
  return fc.record({
    isScraped: fc.boolean(),
    ageUs: fc.constantFrom(0, 100_000, 200_000, 200_001, NOW_US),
    waiting: number(wholes),
    running: number(wholes),
    kvUsage: number(shares),
    heat: number(wholes),
    lora: optional(
      fc.record({
        active: names("m", "base", "other"),
        waiting: names("m", "other"),
        max: fc.integer({ min: 0, max: 3 }),
      }),
    ),
    labels: someLabels,
    place: optional(place),
    requests: wholes,
    tokens: fc.nat(1_000_000),
    matchBlocks: fc.nat(TOTAL_BLOCKS),
    uncachedTokens: fc.nat(1000),
    prediction: optional(
      fc.record({
        ttftMs: number(wholes),
        ttftHeadroomMs: headroom,
        tpotHeadroomMs: headroom,
        dispatched: fc.nat(2),
      }),
    ),
  });
}

const requestArbitrary: fc.Arbitrary<WildRequest> = fc.record({
  key: fc.nat(1_000_000),
  model: fc.constantFrom("m", "base", ""),
  inputTokens: fc.oneof(fc.nat(20), fc.nat(10_000)),
  totalBlocks: fc.constantFrom(0, TOTAL_BLOCKS),
  headers: fc
    .record(
      {
        "x-slice": fc.constantFrom("gold", "silver", ""),
        "x-session-token": fc.constantFrom(btoa("default/pod-0"), btoa("default/pod-3"), "%", ""),
        "x-session-id": fc.constantFrom("s", "t", ""),
        "test-epp-endpoint-selection": fc.constantFrom("10.0.0.1,10.0.0.0:8000", "10.0.0.2,10.0.0.2", "::1", ""),
      },
      { requiredKeys: [] },
    )
    .map((headers): Readonly<Record<string, string>> => headers as Record<string, string>),
  peer: fc.integer({ min: -1, max: 11 }),
  hasData: fc.boolean(),
});

const sceneArbitrary = (pod: fc.Arbitrary<WildPod>, minLength: number): fc.Arbitrary<WildScene> =>
  fc.record({ pods: fc.array(pod, { minLength, maxLength: 12 }), request: requestArbitrary });

/** Scenes whose signals are what sound servers tell. */
export const soundScenes = sceneArbitrary(
  podArbitrary((sound) => sound),
  1,
);
/** Scenes with NaN, infinities, negative and huge numbers among the signals. */
export const wildScenes = sceneArbitrary(podArbitrary(odd), 1);

/** One scene of a thousand pods, odd numbers among their signals. */
export const [crowd] = fc.sample(
  fc.record({
    pods: fc.array(podArbitrary(odd), { minLength: 1000, maxLength: 1000 }),
    request: requestArbitrary.map((request) => ({ ...request, hasData: true })),
  }),
  { numRuns: 1, seed: 3 },
);

/** A request over the pods of a scene; `order`: indexes of the candidates among the pods, default all. */
export function buildScene(
  { pods, request: wanted }: WildScene,
  order: readonly number[] = [...pods.keys()],
): { readonly endpoints: Endpoints; readonly request: RequestState } {
  const endpoints = poolOf(
    pods.map((pod) => (pod.isScraped ? signalsOf(pod) : null)),
    NOW_US,
  );
  const load = new InflightColumns(endpoints, "inflight-load-producer");
  const places = endpoints.attribute(topologyKey("topology-extractor")).values;
  for (const [slot, { labels, requests, tokens, place: own }] of pods.entries()) {
    endpoints.describe(slot, { ...endpoints.description[slot], labels });
    load.add(slot, requests, tokens);
    places[slot] = own;
  }
  const { key, model, headers, inputTokens } = wanted;
  const facts = { key, model, headers, inputTokens };
  const request = requestOf(endpoints, facts, Int32Array.from(order), NOW_US);
  if (wanted.peer >= 0) {
    const slot = wanted.peer % pods.length;
    request.put(PEER_ENDPOINT, { slot, generation: endpoints.generation[slot] });
  }
  if (wanted.hasData) putData(request, pods, order, wanted);
  return { endpoints, request };
}

const signalsOf = ({ ageUs, waiting, running, kvUsage, heat, lora }: WildPod) => ({
  atUs: NOW_US - ageUs,
  waiting,
  running,
  kvUsage,
  attributes: Object.fromEntries(NUMBER_ATTRIBUTES.map((name) => [name, heat])),
  ...(lora && { lora }),
});

function putData(
  request: RequestState,
  pods: readonly WildPod[],
  order: readonly number[],
  { inputTokens, totalBlocks }: WildRequest,
): void {
  const byRow = (valueOf: (pod: WildPod) => number) => order.map((index) => valueOf(pods[index]));
  const matchBlocks = Int32Array.from(byRow((pod) => Math.min(pod.matchBlocks, totalBlocks)));
  for (const name of PREFIX_PRODUCERS) {
    request.put(prefixMatchKey(name), { matchBlocks, totalBlocks, blockSizeTokens: 64 });
  }
  request.put(encoderCacheKey("mm-embeddings-cache-producer"), { matchedSize: matchBlocks, totalSize: totalBlocks });
  request.put(tokenizedPromptKey("token-producer"), { tokens: inputTokens });
  const tokens = Float64Array.from(byRow((pod) => pod.uncachedTokens));
  request.put(uncachedTokensKey("inflight-load-producer"), { tokens });
  const predictions = order.map((index) => pods[index].prediction);
  request.put(latencyPredictionKey("predicted-latency-producer"), predictionOf(predictions));
}

const BATCHES_MAX = 40;

/** Values of an arbitrary, the same each time, as long as they are asked for: at most 2000. */
export function* drawn<T>(values: fc.Arbitrary<T>): Generator<T> {
  for (let seed = 0; seed < BATCHES_MAX; seed++) yield* fc.sample(values, { numRuns: 50, seed });
}

/** True when the test holds for one of the values of `drawn`. */
export function someOf<T>(values: fc.Arbitrary<T>, test: (value: T) => boolean): boolean {
  for (const value of drawn(values)) if (test(value)) return true;
  return false;
}

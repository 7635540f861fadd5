import type { z } from "zod";
import type { Candidates, CandidateTable } from "./candidates.ts";
import type { DataKey } from "./data-key.ts";
import type { Endpoints } from "./endpoints.ts";
import type { Micros } from "./env.ts";
import type { AskValue, EndCause, ServedWord } from "./events.ts";
import type { MediaSettings } from "./media.ts";
import type { Parser, Usage } from "./parser.ts";
import type { Profile } from "./plan.ts";
import type { Rejection } from "./rejection.ts";
import type { RequestFacts } from "./request-facts.ts";

/** What a plugin sees of a request. */
export interface PluginRequest {
  readonly facts: RequestFacts;
  /** Time of the event that is being worked on. */
  readonly nowUs: Micros;
  /** Model after the rewrite; "" when none. */
  readonly targetModel: string;
  readonly priority: number;
  readonly fairnessId: string;
  /** The candidates that columns are about. */
  readonly table: CandidateTable;
  /** What the proxy told of the endpoint that answered; from `responseStarted` on. */
  readonly servedWord: ServedWord;
  /** Data of another plugin, or of one's own. */
  get<T>(key: DataKey<T>): T | undefined;
  put<T>(key: DataKey<T>, value: T): void;
  /** A request header by lower-case name, as the plan names it in `headerNames` or as a plugin set it. */
  header(name: string): string | undefined;
  /** Sets a header of the request that goes to the pod. */
  setHeader(name: string, value: string): void;
  /** Leaves a header out of those that are passed on. */
  removeHeader(name: string): void;
  /** Sets a header of the response to the client; only in `responseStarted`. */
  setResponseHeader(name: string, value: string): void;
  /** Tells the proxy a number with the end of the response, as dynamic metadata; only in `requestEnded`. */
  setResponseMetadata(namespace: string, name: string, value: number): void;
}

/** IO that a plugin needs done. The driver answers by an event, or the deadline passes. */
export interface AskDraft {
  /** What is to be done; drivers know it by this name. */
  readonly kind: string;
  readonly payload: AskValue;
  /** Default: the point's own (400 ms for producers, as stock). */
  readonly timeoutUs?: Micros;
}

/** A wait for a time, for requests that go on together: the core parks the request until then, and no driver hears of it. */
export interface WaitDraft {
  /** Then `resume` is called, with null. Requests of one time go on in the order in which they came. */
  readonly untilUs: Micros;
}

/** One pick of a profile, best first. */
export interface ReservedTarget {
  /** Name of the profile that picked it. */
  readonly profile: string;
  readonly slot: number;
  readonly generation: number;
  /** Row in the request's candidate table; -1 for a moved one that was no candidate. */
  readonly row: number;
}

/** What the profiles came to. */
export interface PickResult {
  readonly primary: string;
  /** The first pick of each profile that ran well, the primary's first. */
  readonly targets: readonly ReservedTarget[];
  /** All picks of each profile that ran well, best first within a profile, the primary's first. */
  readonly picks: readonly ReservedTarget[];
}

/** How one profile's run ended. */
export type ProfileResult =
  | { readonly ok: true; readonly rows: readonly number[]; readonly slots: readonly number[] }
  | { readonly ok: false; readonly rejection: Rejection };

/** What a profile handler makes of the profiles' results. */
export interface PrimaryResult {
  /** Index of the profile whose picks are the destination. */
  readonly primary: number;
  /** Destinations in place of the picks' own `ip:port`. */
  readonly targets?: readonly string[];
  /** True when no scores may be told (data-parallel-profile-handler, as recorded). */
  readonly hidesScores?: boolean;
}

/**
 * A plugin at work. It has the methods of the points where it takes part, and no others; all are synchronous, and none
 * knows time or chance but by what it is given.
 */
export interface PluginInstance {
  /** Reads request headers first of all: refuses the request, or names its flow when no fairness header does. */
  readHeaders?(request: PluginRequest): Rejection | { readonly fairnessId: string } | undefined;
  /** Screener: writes the places (into `candidates`) that may stay to `keep`, returns how many. All screeners see the same list. */
  screen?(request: PluginRequest, candidates: Candidates, keep: Int32Array): number;
  /** Producer: gives data (`request.put`), or asks or waits first. A string is its failure: later producers do not run. */
  produce?(request: PluginRequest): AskDraft | WaitDraft | string | undefined;
  /** Producer: the answer to its ask. Null when it failed or came too late, and after a wait. */
  resume?(request: PluginRequest, answer: AskValue): AskDraft | WaitDraft | string | undefined;
  /** Admitter: a reason to refuse the request, or undefined. */
  deny?(request: PluginRequest, candidates: Candidates): string | Rejection | undefined;
  /** Asks for IO before scheduling; `resume` gets the answer. */
  prepare?(request: PluginRequest): AskDraft | undefined;
  /** Filter: writes the places that stay, in the order wanted, to `keep`; returns how many. */
  filter?(request: PluginRequest, candidates: Candidates, keep: Int32Array): number;
  /** Scorer: fills out[0..count) with one number a candidate; it is clamped to 0..1. Allocates nothing. */
  score?(request: PluginRequest, candidates: Candidates, out: Float64Array): void;
  /** Picker: writes places, best first, to `picks`, returns how many. `draws[i]` tells the draw that decided, where one did. */
  pick?(
    request: PluginRequest,
    candidates: Candidates,
    totals: Float64Array,
    picks: Int32Array,
    draws: Float64Array,
  ): number;
  /** Profile handler: indexes of the profiles to run now; empty when done. */
  nextProfiles?(
    request: PluginRequest,
    profiles: readonly Profile[],
    results: readonly (ProfileResult | undefined)[],
  ): readonly number[];
  /** Profile handler: which profile is the primary one. */
  finish?(
    request: PluginRequest,
    profiles: readonly Profile[],
    results: readonly (ProfileResult | undefined)[],
  ): PrimaryResult | Rejection;
  /** After the pick, in the same step: reserve, remember, set headers. */
  preRequest?(request: PluginRequest, result: PickResult): void;
  /** The proxy told that another endpoint served it: move what was reserved. */
  moved?(request: PluginRequest, from: ReservedTarget, to: ReservedTarget): void;
  responseStarted?(request: PluginRequest): void;
  responseFirstByte?(request: PluginRequest): void;
  /** Called exactly once for each request that reached `preRequest`, whatever ended it. */
  requestEnded?(request: PluginRequest, cause: EndCause, usage: Usage | undefined): void;
  endpointAdded?(slot: number): void;
  /** The endpoint's labels may be others. */
  endpointChanged?(slot: number): void;
  /** Called before the slot is freed. */
  endpointRemoved?(slot: number): void;
  /** Decider: whether a stage runs in a pod of its own. `row`: the candidate picked before it; -1 when there is none. */
  decide?(request: PluginRequest, row: number): boolean;
  /** Saturation detector: 0 idle, 1 and more full. `slots`: the endpoints that count. */
  saturation?(slots: Int32Array, nowUs: Micros): number;
  /** Parser plugins: the body reader. */
  readonly parser?: Parser;
  /** Token producers: how pictures, sounds and films count. The first producer of a plan that says so is heard. */
  readonly media?: MediaSettings;
  /** Block sizes in tokens for which it wants block ids, given the pool as it is now. */
  blockSizesTokens?(): readonly number[];
  /** Gauges for the metrics page, by name. */
  gauges?(): Readonly<Record<string, number>>;
  /** Counters for the metrics page; they never fall. */
  counters?(): readonly CounterRow[];
  /** Gauges with labels for the metrics page. */
  gaugeRows?(): readonly GaugeRow[];
  /** Histograms for the metrics page. */
  histograms?(): readonly HistogramRow[];
}

/** A plugin's count of events under one set of labels. */
export interface CounterRow {
  /** Name of its family (`plugins/counters.ts`). */
  readonly counter: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A plugin's gauge under one set of labels. */
export interface GaugeRow {
  /** Name of its family (`plugins/gauges.ts`). */
  readonly gauge: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What a plugin has put into a histogram. */
export interface HistogramRow {
  /** Name of its family (`plugins/histograms.ts`). */
  readonly histogram: string;
  /** Values by bucket, not cumulative, +Inf last. */
  readonly counts: Float64Array;
  readonly sum: number;
}

/** What a plugin is given when it is made. */
export interface PluginContext {
  readonly name: string;
  readonly endpoints: Endpoints;
  readonly seed: number;
  /** Named limits of the process. */
  readonly limits: PluginLimits;
  /** Another plugin, already made; undefined when there is none of that name. */
  plugin(name: string): PluginInstance | undefined;
}

export interface PluginLimits {
  /** Most bytes of one prefix index. */
  readonly prefixIndexBytesMax: number;
}

/** Data keys that a plugin lives on. */
export interface PluginData {
  /** Without these it does not work: a default producer is made when nobody gives them. */
  readonly requires?: readonly DataKey<unknown>[];
  readonly wants?: readonly DataKey<unknown>[];
  readonly produces?: readonly DataKey<unknown>[];
}

/** What a data source brings to its extractors: metrics pages, lists of models, events of endpoints or of Kubernetes objects. */
export type DataPayload = "metrics" | "models" | "endpoints" | "objects";

export type Stability = "beta" | "alpha" | "deprecated";

/** Where a plugin can take part; tells a config compiler what a type is without making one. */
export type PluginPoint =
  | "screener"
  | "producer"
  | "admitter"
  | "filter"
  | "scorer"
  | "picker"
  | "profileHandler"
  | "saturationDetector"
  | "parser"
  | "dataSource"
  | "extractor"
  | "discovery"
  | "decider"
  | "fairnessPolicy"
  | "orderingPolicy"
  | "usageLimitPolicy"
  | "evictionPolicy"
  /** Hooks around a request's life alone: headers, the pick, the response. */
  | "requestControl";

/** A plugin that another one names in its parameters. */
export interface PluginReference {
  /** Where under `parameters` the name stands. */
  readonly path: readonly string[];
  readonly name: string;
  /** What it has to be. */
  readonly point: PluginPoint;
}

/** A plugin type: what a config can name. One file a type, one line in the list. */
export interface PluginDefinition<P = unknown> {
  readonly type: string;
  readonly points: readonly PluginPoint[];
  /** Older names of the type. */
  readonly aliases?: readonly string[];
  /** Alpha types need --allow-experimental-plugins. Default beta. */
  readonly stability?: Stability;
  /** What a deprecated type gives way to. */
  readonly replacedBy?: string;
  /** Of a type that the recorded stock release has no longer, so that --strict-config refuses it: what is said of it. */
  readonly gone?: string;
  /** False for a type that is known and cannot be made yet: a config with it is planned, and not served with. */
  readonly isBuilt?: false;
  readonly params: z.ZodType<P>;
  /** Where `params` takes more than the recorded stock release does: what that one takes. */
  readonly stockParams?: z.ZodType;
  /** True for types that ignore whatever stands under `parameters`, as stock. */
  readonly ignoresParams?: boolean;
  /** Parameters, by their key, that ask a built type for what it cannot do yet: nothing serves with them either. */
  readonly unbuiltParams?: (params: P) => readonly string[];
  /** What a reader of the config should know of these parameters: that one has no effect, is old, is raised. */
  readonly warnings?: (params: P) => readonly string[];
  /** Request headers that it reads, lower case. */
  readonly headerNames?: (params: P) => readonly string[];
  readonly data?: (params: P, name: string) => PluginData;
  /**
   * What its reference page shows: an EndpointPickerConfig from `plugins:` on, in YAML. Default: its name alone.
   * The tests load it.
   */
  readonly example?: string;
  /** Of a data source or an extractor: an extractor takes only what its source brings. Default: anything. */
  readonly payload?: DataPayload;
  /** Plugins that must be there and are made before it. */
  readonly references?: (params: P) => readonly PluginReference[];
  readonly create: (params: P, context: PluginContext) => PluginInstance;
}

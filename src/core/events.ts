import type { Micros } from "./env.ts";
import type { Usage } from "./parser.ts";
import type { RequestFacts } from "./request-facts.ts";

/** Version of the event format. A reader refuses a newer one. */
export const EVENT_FORMAT_VERSION = 1;

/** An endpoint as a discovery source describes it. Identity is `id` = `namespace/name`. */
export interface EndpointDescription {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** `host:port` of its metrics page. */
  readonly metricsHost: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Host name that its pod asks for (`spec.hostname`); absent where discovery does not know. */
  readonly hostname?: string;
  /** Address of the node it runs on; absent where discovery does not know. */
  readonly nodeAddress?: string;
}

/** LoRA adapters that a model server reported. */
export interface LoraSignal {
  readonly active: readonly string[];
  readonly waiting: readonly string[];
  /** Adapters that fit at once; below 0 when the page did not tell: then the last one holds. */
  readonly max: number;
}

/** What one scrape of one endpoint brought. A field that the page lacked is absent and keeps its last value. */
export interface SignalRow {
  readonly slot: number;
  readonly generation: number;
  /** When the page was read; default: the event's time. */
  readonly atUs?: Micros;
  readonly waiting?: number;
  readonly running?: number;
  /** 0..1 */
  readonly kvUsage?: number;
  /** Tokens in a KV block. */
  readonly blockSizeTokens?: number;
  readonly blockCount?: number;
  readonly lora?: LoraSignal;
  /** Further numbers by attribute key. */
  readonly attributes?: Readonly<Record<string, number>>;
  /** Attributes that are no numbers, by the id of their data key; the extractor bounds their size. */
  readonly values?: Readonly<Record<string, AskValue>>;
  /** True when no page of the model server brought it: the time of the signals stays what it was. */
  readonly aside?: true;
}

/** Why a request's stream ended. */
export type EndCause = "natural" | "client-disconnect" | "evicted" | "error";

interface At {
  /** When it happened. The core takes the greatest time that it has seen as now. */
  readonly atUs: Micros;
}

/** A config became current: first event of a run. `source` is what the plan is compiled from. */
export interface ConfigLoaded extends At {
  readonly type: "configLoaded";
  readonly source: ConfigSource;
}
/** The text and options that a plan is made of; the compiler is injected (`CoreOptions.compile`). */
export interface ConfigSource {
  /** EndpointPickerConfig text; "" for the built-in default. */
  readonly text: string;
  /** Options from the command line that change decisions. */
  readonly options: Readonly<Record<string, string | number | boolean>>;
}
/** An endpoint appeared, or one of the same id changed its labels; with another address or port it is a new one. */
export interface EndpointUpserted extends At {
  readonly type: "endpointUpserted";
  readonly endpoint: EndpointDescription;
}
export interface EndpointRemoved extends At {
  readonly type: "endpointRemoved";
  readonly id: string;
}
/** An InferenceObjective came or changed: requests that name it get its priority. */
export interface ObjectiveUpserted extends At {
  readonly type: "objectiveUpserted";
  readonly name: string;
  readonly priority: number;
}
export interface ObjectiveRemoved extends At {
  readonly type: "objectiveRemoved";
  readonly name: string;
}
/** Scrapes since the last such event. Rows of an endpoint that is gone are dropped by their generation. */
export interface SignalsScraped extends At {
  readonly type: "signals";
  readonly rows: readonly SignalRow[];
}
export interface RequestArrived extends At {
  readonly type: "requestArrived";
  readonly facts: RequestFacts;
}
/** What the proxy tells of the endpoint that answered, with the response headers. */
export interface ServedWord {
  /** `host:port` that really answered, when it told that. */
  readonly served?: string;
  /** True when it sent metadata of its load balancer at all, `served` or not. */
  readonly tells?: boolean;
}
/** Response headers came. */
export interface ResponseStarted extends At, ServedWord {
  readonly type: "responseStarted";
  readonly key: number;
}
/** The first byte of the response body came. */
export interface ResponseFirstByte extends At {
  readonly type: "responseFirstByte";
  readonly key: number;
}
/** The request is over, whatever ended it. */
export interface RequestEnded extends At {
  readonly type: "requestEnded";
  readonly key: number;
  readonly cause: EndCause;
  readonly usage?: Usage;
}
/** The answer to an ask. Ignored when the ask is over. */
export interface AskAnswered extends At {
  readonly type: "askAnswered";
  readonly ask: number;
  readonly value: AskValue;
}
export interface AskFailed extends At {
  readonly type: "askFailed";
  readonly ask: number;
  readonly cause: string;
}
/** Plain data that an ask carries either way. */
export type AskValue =
  null | boolean | number | string | Uint32Array | readonly AskValue[] | { readonly [key: string]: AskValue };
/** Nothing happened, but time passed: deadlines that are due take effect. */
export interface TimePassed extends At {
  readonly type: "timePassed";
}

/** Everything that can change a decision. */
export type CoreEvent =
  | ConfigLoaded
  | EndpointUpserted
  | EndpointRemoved
  | ObjectiveUpserted
  | ObjectiveRemoved
  | SignalsScraped
  | RequestArrived
  | ResponseStarted
  | ResponseFirstByte
  | RequestEnded
  | AskAnswered
  | AskFailed
  | TimePassed;

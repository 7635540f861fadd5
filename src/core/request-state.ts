import type { CandidateTable } from "./candidates.ts";
import { aliased, DEFAULT_FAIRNESS_ID, FAIRNESS_HEADERS } from "./control-headers.ts";
import type { DataKey } from "./data-key.ts";
import type { Micros } from "./env.ts";
import type { ServedWord } from "./events.ts";
import type { Plan } from "./plan.ts";
import type { PluginInstance, PluginRequest, ReservedTarget } from "./plugin.ts";
import type { RequestFacts } from "./request-facts.ts";

/** Where a request stands on its way; it can be parked at admission, producers and prepare. */
export type Stage =
  "arrived" | "admission" | "candidates" | "producers" | "admitters" | "prepare" | "schedule" | "responding";

const NO_WORD: ServedWord = {};

/** Numbers for the proxy, by namespace and name. */
export type ResponseMetadata = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** A pick under an address of its own. */
export interface OwnDestination {
  /** `ip:port` that the proxy was told. */
  readonly destination: string;
  readonly slot: number;
  readonly generation: number;
}

/** A request between its arrival and its end, as plugins see it. */
export class RequestState implements PluginRequest {
  facts: RequestFacts;
  /** The plan that it began with; a newer config does not change its way. */
  readonly plan: Plan;
  nowUs: Micros;
  stage: Stage = "arrived";
  /** Index of the plugin within the stage. */
  position = 0;
  /** Id of the ask or wait that it is parked by; -1 when none. */
  ask = -1;
  /** True when it waits for a time alone. */
  waits = false;
  /** Who asked. */
  asker: PluginInstance | undefined;
  targetModel = "";
  priority = 0;
  fairnessId: string;
  table!: CandidateTable;
  /** What was picked: first pick of each profile that ran, the primary's first. */
  targets: readonly ReservedTarget[] = [];
  /** The primary profile's picks where the profile handler wrote their addresses itself; empty elsewhere. */
  destinations: readonly OwnDestination[] = [];
  /** True from the pick until everything is given back. */
  reserved = false;
  servedWord: ServedWord = NO_WORD;
  readonly headers = new Map<string, string | undefined>();
  /** Headers that plugins set on the response, by lower-case name. */
  readonly responseHeaders = new Map<string, string>();
  /** Numbers that plugins tell the proxy when the response ends, by namespace and name; undefined when there are none. */
  responseMetadata: Map<string, Map<string, number>> | undefined;
  readonly #data = new Map<string, unknown>();

  constructor(facts: RequestFacts, plan: Plan, nowUs: Micros) {
    this.facts = facts;
    this.plan = plan;
    this.nowUs = nowUs;
    this.fairnessId = aliased(facts.headers, FAIRNESS_HEADERS) || DEFAULT_FAIRNESS_ID;
  }

  /** Lets go of what only the choice needs: block ids and media grow with the prompt, and its answer may take minutes. */
  dropPrompt(): void {
    const { blocks, media, ...kept } = this.facts;
    if (blocks.length > 0 || media) this.facts = { ...kept, blocks: [] };
  }

  get<T>(key: DataKey<T>): T | undefined {
    return this.#data.get(key.id) as T | undefined;
  }

  put<T>(key: DataKey<T>, value: T): void {
    this.#data.set(key.id, value);
  }

  header(name: string): string | undefined {
    return this.headers.has(name) ? this.headers.get(name) : this.facts.headers[name];
  }

  setHeader(name: string, value: string): void {
    this.headers.set(name, value);
  }

  removeHeader(name: string): void {
    this.headers.set(name, undefined);
  }

  setResponseHeader(name: string, value: string): void {
    this.responseHeaders.set(name, value);
  }

  setResponseMetadata(namespace: string, name: string, value: number): void {
    this.responseMetadata ??= new Map();
    const values = this.responseMetadata.get(namespace) ?? new Map<string, number>();
    this.responseMetadata.set(namespace, values.set(name, value));
  }
}

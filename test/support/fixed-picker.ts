import { EventEmitter, once } from "node:events";
import type { Decision } from "../../src/core/decision.ts";
import type { EndCause, ServedWord } from "../../src/core/events.ts";
import type { Usage } from "../../src/core/parser.ts";
import type { Rejection } from "../../src/core/rejection.ts";
import type { ResponseMetadata } from "../../src/core/request-state.ts";
import { openaiParser } from "../../src/plugins/parsers/openai-parser.ts";
import { createParserTable } from "../../src/plugins/parsers/resolve-parser.ts";
import { passthroughParser } from "../../src/plugins/parsers/passthrough-parser.ts";
import type { ArrivingFacts, ReadingPlan } from "../../src/protocol/machine-options.ts";
import type { PickerPort, PickerRequester } from "../../src/server/picker-port.ts";

/** What the picker was told of one request. */
export interface PickedRequest {
  readonly key: number;
  readonly facts: ArrivingFacts;
  readonly requester: PickerRequester;
  /** Headers, first byte, end: in the order in which they came. */
  readonly events: string[];
  served: string | undefined;
  usage: Usage | undefined;
}

export type FixedVerdict =
  | { readonly target: string; readonly model?: string; readonly headers?: ReadonlyMap<string, string | undefined> }
  | { readonly reject: Rejection }
  /** No decision yet. */
  | "park";

/** A picker that decides as it is told and remembers what it was told: the driver's place in tests of the server. */
export class FixedPicker implements PickerPort {
  readonly requests: PickedRequest[] = [];
  verdict: FixedVerdict;
  /** Headers set on each response. */
  responseHeaders: ReadonlyMap<string, string> = new Map();
  /** Told with the end of each response. */
  endMetadata: ResponseMetadata | undefined;
  readonly #changes = new EventEmitter();

  constructor(verdict: FixedVerdict) {
    this.verdict = verdict;
    this.#changes.setMaxListeners(1000);
  }

  arrive(facts: ArrivingFacts, requester: PickerRequester): number {
    const key = this.requests.length;
    this.requests.push({ key, facts, requester, events: [], served: undefined, usage: undefined });
    if (this.verdict !== "park") this.decide(key, this.verdict);
    this.#changes.emit("change");
    return key;
  }

  /** Decides a parked request. */
  decide(key: number, verdict: Exclude<FixedVerdict, "park">): void {
    const { facts, requester } = this.requests[key];
    requester.decided(decisionOf({ ...facts, key }, verdict));
  }

  responseStarted(key: number, { served }: ServedWord): ReadonlyMap<string, string> {
    this.requests[key].served = served;
    this.#note(key, "started");
    return this.responseHeaders;
  }

  responseFirstByte(key: number): void {
    this.#note(key, "first byte");
  }

  ended(key: number, cause: EndCause, usage?: Usage): ResponseMetadata | undefined {
    this.requests[key].usage = usage;
    this.#note(key, `ended ${cause}`);
    return this.endMetadata;
  }

  /** Resolves once `done` is true; looks at each change. */
  async until(done: (requests: readonly PickedRequest[]) => boolean): Promise<void> {
    while (!done(this.requests)) await once(this.#changes, "change");
  }

  #note(key: number, event: string): void {
    this.requests[key].events.push(event);
    this.#changes.emit("change");
  }
}

/** Reads OpenAI requests, and takes all others as they are. */
export const openaiReading = (): ReadingPlan => {
  const table = createParserTable([openaiParser, passthroughParser]);
  return {
    resolveParser: (path) => table.resolve(path),
    headerNames: ["x-named"],
    tokenizes: true,
    blockSizesTokens: [16],
  };
};

function decisionOf(facts: Decision["facts"], verdict: Exclude<FixedVerdict, "park">): Decision {
  const outcome: Decision["outcome"] =
    "reject" in verdict
      ? { kind: "rejected", rejection: verdict.reject }
      : { kind: "picked", targets: [verdict.target], endpointIds: ["default/pod"], slots: [0, 0] };
  const picked = "target" in verdict ? verdict : undefined;
  return {
    facts,
    sequence: facts.key,
    atUs: 0,
    outcome,
    targetModel: picked?.model ?? facts.model,
    priority: 0,
    fairnessId: "default-flow",
    headers: picked?.headers ?? new Map(),
    scores: () => undefined,
    record: () => undefined,
  };
}

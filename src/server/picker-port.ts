import type { Decision } from "../core/decision.ts";
import type { EndCause, ServedWord } from "../core/events.ts";
import type { Usage } from "../core/parser.ts";
import type { BlockedPrompts } from "../core/request-facts.ts";
import type { ResponseMetadata } from "../core/request-state.ts";
import type { ArrivingFacts } from "../protocol/machine-options.ts";

/** Whoever brings a request to the picker and waits for its decision. */
export interface PickerRequester {
  /** Takes the decision, within `arrive` or later; not called when the request ends first. */
  decided(decision: Decision): void;
  /** The prompts' blocks of a size that was not foreseen; undefined when they can't be made (any more). */
  blocks(blockSizeTokens: number): BlockedPrompts | undefined;
}

/** What the ext_proc server needs of whoever decides (`CoreDriver`). Calls name a request by its key. */
export interface PickerPort {
  /** A request arrived. Gives its key, which is also in the decision's facts. */
  arrive(facts: ArrivingFacts, requester: PickerRequester): number;
  /** Response headers came. Gives the headers that plugins set on the response, by lower-case name. */
  responseStarted(key: number, word: ServedWord): ReadonlyMap<string, string>;
  responseFirstByte(key: number): void;
  /**
   * Called exactly once for each request that arrived, whatever ended it. Gives what plugins tell the proxy with the end
   * of the response.
   */
  ended(key: number, cause: EndCause, usage?: Usage): ResponseMetadata | undefined;
}

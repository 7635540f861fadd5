import type { Env } from "../core/env.ts";
import type { EndCause, ServedWord } from "../core/events.ts";
import type { MediaSettings } from "../core/media.ts";
import type { Parser, PromptTokens, RewriteMode, Usage } from "../core/parser.ts";
import type { BlockedPrompts, RequestFacts } from "../core/request-facts.ts";
import type { ResponseMetadata } from "../core/request-state.ts";
import type { BodyAccount } from "./body-account.ts";
import type { HeaderLimits } from "./codec.ts";
import type { ExchangeMeter } from "./exchange-meter.ts";
import type { OutgoingMessage } from "./messages.ts";

/** What has to be read of a request; follows from the plan that is current when its body is complete. */
export interface ReadingPlan {
  /** The parser for a path without query; undefined when none takes it. */
  resolveParser(path: string): Parser | undefined;
  /** Lower-case names of the request headers that the facts carry. */
  readonly headerNames: readonly string[];
  /** True when prompts are tokenised. */
  readonly tokenizes: boolean;
  /** How media count in them; absent = the default settings. */
  readonly media?: MediaSettings;
  /** Block sizes for which block ids are made, in tokens. */
  readonly blockSizesTokens: readonly number[];
}

/** Cuts prompts into blocks and names the blocks (`core/block-ids.ts`, or a faster twin). */
type BlockIds = (
  prompts: readonly PromptTokens[],
  blockSizesTokens: readonly number[],
) => { readonly inputTokens: number; readonly promptBytes: number; readonly blocks: readonly BlockedPrompts[] };

export interface ProtocolLimits extends HeaderLimits {
  /** Most bytes of one request body (413 above), and of an answer that is held back (passed on as it comes above). */
  readonly bodyBytesMax: number;
}

/** What all streams of a server share. */
export interface MachineOptions {
  /** The current plan's needs; asked once for each request. */
  readonly plan: () => ReadingPlan;
  readonly blockIds: BlockIds;
  /** Makes an x-request-id: a version 4 UUID. */
  readonly newRequestId: () => string;
  /** How a new model name gets into a body. */
  readonly rewrite: RewriteMode;
  /** True when the proxy is told to drop headers of the client that plugins took away (--remove-client-headers). */
  readonly removesClientHeaders: boolean;
  /** False to miss usage where an event or message is split across chunks, as stock does (--join-split-usage). */
  readonly joinsSplitUsage?: boolean;
  /** True when scores go into the answer's metadata (--emit-endpoint-scores). */
  readonly emitEndpointScores: boolean;
  readonly limits: ProtocolLimits;
  readonly account: BodyAccount;
  /** Times the parsers, which it names by their types; absent: nobody does. */
  readonly probe?: Env["probe"];
}

/** A request without its key, which its driver gives it. */
export type ArrivingFacts = Omit<RequestFacts, "key">;

/** How a stream ends on our side: gRPC code and text. */
export interface StreamStatus {
  readonly code: number;
  readonly details: string;
}

/** The end that is no error. */
export const STATUS_OK: StreamStatus = { code: 0, details: "" };

/** What the machine of one stream calls. `arrive` comes at most once; after it `ended` comes exactly once. */
export interface MachineHost {
  /** Measures the exchange; absent: nothing is measured. */
  readonly meter?: ExchangeMeter | undefined;
  /** A request is complete. Its decision is given to `machine.onDecision`, within this call or later. */
  arrive(facts: ArrivingFacts): void;
  /**
   * Response headers of a routed request came, with what the proxy tells of who answered. Gives the headers that plugins
   * set on the response, by lower-case name.
   */
  responseStarted(word: ServedWord): ReadonlyMap<string, string>;
  /** The first byte of its response body came. */
  responseFirstByte(): void;
  /** It is over, whatever ended it. Gives what plugins tell the proxy with the end of the response. */
  ended(cause: EndCause, usage: Usage | undefined): ResponseMetadata | undefined;
  /** Sends a message on the stream. */
  send(message: OutgoingMessage): void;
  /** Ends the stream after what was sent; nothing is sent later. */
  finish(status: StreamStatus): void;
}

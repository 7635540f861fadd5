import type { ResponseReader } from "../core/parser.ts";
import type { BodyShare } from "./body-account.ts";
import { ByteCollector, joined } from "./byte-collector.ts";
import { carriesEvents, contentLength, isEventStream, relayedResponseHeaders } from "./header-rules.ts";
import {
  answer,
  BODY_MODE,
  type BodyMessage,
  type BodyMutation,
  type HeaderField,
  type HeadersMessage,
  type OutgoingMessage,
} from "./messages.ts";
import { putModelNameBack } from "./model-name.ts";
import { bodyAnswers } from "./request-answer.ts";

/** What the relay is told of the request whose response it passes on. */
export interface RelayOptions {
  /** True when the request asked for a streamed answer. */
  readonly stream: boolean;
  /** Model names when they differ: the response names `served`, the client expects `requested`. */
  readonly rename: { readonly served: string; readonly requested: string } | undefined;
  /** Reads usage from the body; told whether the answer is an event stream. */
  createReader(eventStream: boolean): ResponseReader | undefined;
  /** Times the reader; absent: nobody does. */
  readonly probe?: ((edge: "begin" | "end") => void) | undefined;
  /** Envoy's response body mode. */
  readonly bodyMode: number;
  /** Most bytes that are held back for a whole answer. */
  readonly bodyBytesMax: number;
}

/** What of a response a message brought. */
export interface Relayed {
  readonly messages: readonly OutgoingMessage[];
  /** True when the response is complete with it. */
  readonly complete: boolean;
  /** True when the bytes that wait are too many: the stream has to end. */
  readonly overflow: boolean;
}

/** Passes the response of one request on, in the form that the proxy's body mode wants. */
export class ResponseRelay {
  readonly #options: RelayOptions;
  readonly #share: BodyShare;
  /** Body of an answer that is held back until it is whole. */
  #held = new ByteCollector();
  /** True when a body message, be it empty, is held back. */
  #holds = false;
  /** Headers of the response so far, by key as received: a second message of headers adds to the first (recorded). */
  readonly #headers = new Map<string, HeaderField>();
  #streaming: boolean;
  #reader: ResponseReader | undefined;

  constructor(options: RelayOptions, share: BodyShare) {
    this.#options = options;
    this.#share = share;
    this.#streaming = options.stream;
  }

  /** Reader of the body's usage; undefined before the headers, or when nothing reads it. */
  get reader(): ResponseReader | undefined {
    return this.#reader;
  }

  /** True when the answer is passed on as it comes: it was asked for so, or says so. */
  get isStream(): boolean {
    return this.#streaming;
  }

  /** @param edits headers that plugins set on the response, by lower-case name */
  headers(message: HeadersMessage, edits: ReadonlyMap<string, string>): Relayed {
    this.#streaming ||= isEventStream(message.headers);
    this.#reader ??= this.#options.createReader(carriesEvents(message.headers));
    const { rename, bodyMode } = this.#options;
    // Elsewhere Envoy itself drops the length of a body that may change.
    const resized = rename !== undefined && (bodyMode === BODY_MODE.streamed || bodyMode === BODY_MODE.bufferedPartial);
    if (this.#headers.size > RELAYED_HEADERS_MAX) this.#headers.clear();
    for (const field of message.headers) this.#headers.set(field.key, field);
    const answered = answer("responseHeaders", {
      setHeaders: message.overLimit === undefined ? relayedResponseHeaders([...this.#headers.values()], edits) : [],
      removeHeaders: resized ? ["content-length"] : [],
    });
    return { messages: [answered], complete: message.endOfStream, overflow: false };
  }

  body(message: BodyMessage): Relayed {
    const { body, endOfStream } = message;
    this.#read(body, endOfStream);
    const { bodyMode, bodyBytesMax } = this.#options;
    if (bodyMode !== BODY_MODE.fullDuplexStreamed) return this.#inPlace(body, endOfStream);
    if (!this.#streaming) {
      if (this.#held.length + body.length <= bodyBytesMax && this.#share.hasRoom(body.length)) {
        this.#share.hold(body.length);
        this.#held.push(body);
        this.#holds = true;
        return endOfStream ? done(this.#flush(true)) : NOTHING;
      }
      // Too big to be held back: from here on it passes as it comes.
      this.#streaming = true;
      return this.#pass([...this.#flush(false)], body, endOfStream);
    }
    return this.#pass([], body, endOfStream);
  }

  #read(body: Uint8Array, endOfStream: boolean): void {
    if (!this.#reader) return;
    const { probe } = this.#options;
    probe?.("begin");
    this.#reader.push(body, endOfStream);
    probe?.("end");
  }

  trailers(): Relayed {
    return done([...(this.#holds ? this.#flush(false) : []), { kind: "responseTrailers" }]);
  }

  #pass(before: OutgoingMessage[], body: Uint8Array, endOfStream: boolean): Relayed {
    const named = this.#named(body);
    const waiting = this.#share.bytes + named.length;
    if (waiting > 2 * this.#options.bodyBytesMax || !this.#share.takeFlowing(named.length)) return OVERFLOW;
    before.push(...chunkAnswers(named, endOfStream));
    return { messages: before, complete: endOfStream, overflow: false };
  }

  /** Modes in which each message is answered by one: the body stays as it is unless a name is put back. */
  #inPlace(body: Uint8Array, endOfStream: boolean): Relayed {
    const named = this.#named(body);
    if (named !== body && !this.#share.takeFlowing(named.length)) return OVERFLOW;
    const mutation: BodyMutation | undefined = named === body ? undefined : { kind: "whole", body: named };
    const whole = this.#options.bodyMode === BODY_MODE.buffered;
    // Envoy has kept the headers, and answers 500 when their length does not fit the new body.
    const setHeaders = whole && mutation ? [contentLength(named.length)] : [];
    const answered = answer("responseBody", { setHeaders, body: mutation });
    return { messages: [answered], complete: endOfStream || whole, overflow: false };
  }

  /** What was held back, as answers; its bytes are now counted as sent. */
  #flush(endOfStream: boolean): readonly OutgoingMessage[] {
    const { length } = this.#held;
    const pieces = this.#held.takePieces();
    this.#holds = false;
    if (length === 0) return chunkAnswers(NO_BYTES, endOfStream);
    if (!this.#options.rename) return bodyAnswers("responseBody", pieces, endOfStream);
    const named = this.#named(joined(pieces));
    this.#share.give(length);
    this.#share.hold(named.length);
    return bodyAnswers("responseBody", [named], endOfStream);
  }

  #named(body: Uint8Array): Uint8Array {
    const { rename } = this.#options;
    return rename ? putModelNameBack(body, rename.served, rename.requested) : body;
  }
}

/** Distinct headers of one response that are remembered from one message of headers to the next. */
const RELAYED_HEADERS_MAX = 1000;
const NO_BYTES: Uint8Array = new Uint8Array(0);
const NOTHING: Relayed = { messages: [], complete: false, overflow: false };
const OVERFLOW: Relayed = { messages: [], complete: false, overflow: true };
const done = (messages: readonly OutgoingMessage[]): Relayed => ({ messages, complete: true, overflow: false });

/** One chunk as it came: cut when it is over the limit, its end of stream mirrored, an empty one passed on as well. */
function chunkAnswers(body: Uint8Array, endOfStream: boolean): readonly OutgoingMessage[] {
  const messages = bodyAnswers("responseBody", [body], endOfStream);
  return messages.length > 0
    ? messages
    : [answer("responseBody", { body: { kind: "streamed", body, endOfStream: false } })];
}

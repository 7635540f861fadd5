import type { Decision, Picked } from "../core/decision.ts";
import type { EndCause } from "../core/events.ts";
import type { Parser } from "../core/parser.ts";
import type { Rejection } from "../core/rejection.ts";
import type { BlockedPrompts } from "../core/request-facts.ts";
import type { ResponseMetadata } from "../core/request-state.ts";
import type { BodyShare } from "./body-account.ts";
import { ByteCollector } from "./byte-collector.ts";
import {
  foldRequestHeaders,
  type HeaderValues,
  pathOf,
  REQUEST_ID_HEADER,
  saysServerError,
  statusOf,
} from "./header-rules.ts";
import {
  BODIES_FULL,
  BODY_CUT_OFF,
  bodyTooLarge,
  headersTooLarge,
  immediateAnswer,
  unroutableBodyMode,
} from "./immediate-response.ts";
import { type MachineHost, type MachineOptions, STATUS_OK } from "./machine-options.ts";
import {
  answer,
  BODY_MODE,
  type BodyMessage,
  bodyBytesOf,
  type HeaderField,
  type HeadersMessage,
  type IncomingMessage,
  type OutgoingMessage,
  type ProtocolConfig,
  type StreamMetadata,
  type TrailersMessage,
} from "./messages.ts";
import { meteredByHeaders } from "./metered-by-headers.ts";
import { readServed, readSubset, withEndMetadata } from "./metadata.ts";
import { type AnswerForm, routeAnswer } from "./request-answer.ts";
import { readBodylessRequest, type ReadRequest, readRequest, type RequestId, requestIdOf } from "./request-reader.ts";
import { type Relayed, ResponseRelay } from "./response-relay.ts";

/**
 * How far the request is: being read, with the core, on its way, refused, or given up as its response came before it
 * was complete.
 */
type Phase = "reading" | "deciding" | "routed" | "refused" | "abandoned";

const NO_HEADERS: HeaderValues = new Map();
const NO_EDITS: ReadonlyMap<string, string> = new Map();
const NO_TRACE: readonly HeaderField[] = [];
/** gRPC RESOURCE_EXHAUSTED. */
const BACKLOG = { code: 8, details: "cannot pass the response on: too many bytes wait for the proxy to take them" };

/**
 * One ext_proc stream, which is one HTTP request: takes its messages in, sends the answers and tells its host what
 * happens (`spec/epp-core.md` 1.2). Pure: time, chance and IO are its host's. No order of messages breaks it; what makes
 * no sense is passed over.
 *
 * A stream whose first message carries `protocol_config` is Envoy's own, and its modes are obeyed. Without it, the
 * stream is taken for FULL_DUPLEX_STREAMED and treated as the stock EPP treats it, its oddities included: request
 * trailers go unanswered, the subset hint counts on the last message alone, an empty x-request-id stays empty.
 */
export class ExtProcMachine {
  readonly #options: MachineOptions;
  readonly #host: MachineHost;
  readonly #share: BodyShare;
  #config: ProtocolConfig | undefined;
  #phase: Phase = "reading";
  #headersSeen = false;
  #headers: HeaderValues = NO_HEADERS;
  #headersMetadata: StreamMetadata | undefined;
  #body = new ByteCollector();
  /** True when request trailers came that are still to be answered. */
  #trailersWait = false;
  #read: ReadRequest | undefined;
  #whole: Uint8Array | undefined;
  #requestId: RequestId | undefined;
  #requestIdToSet: string | undefined;
  #relay: ResponseRelay | undefined;
  #responseStarted = false;
  #firstByteSeen = false;
  #endTold = false;
  #finished = false;

  constructor(options: MachineOptions, host: MachineHost) {
    this.#options = options;
    this.#host = host;
    this.#share = options.account.open();
  }

  /** Takes the next message. */
  receive(message: IncomingMessage): void {
    if (this.#finished) return;
    this.#config ??= message.protocolConfig;
    switch (message.kind) {
      case "requestHeaders":
        this.#requestHeaders(message);
        return;
      case "requestBody":
        this.#requestBody(message);
        return;
      case "requestTrailers":
        this.#requestTrailers(message);
        return;
      case "responseHeaders":
        this.#responseHeaders(message);
        return;
      case "responseBody":
        this.#responseBody(message);
        return;
      case "responseTrailers":
        this.#relayed(this.#openRelay().trailers());
        return;
      default:
    }
  }

  /** Takes the decision on the request; ignored when nobody waits for it any more. */
  onDecision(decision: Decision): void {
    if (this.#phase !== "deciding" || this.#finished) return;
    const { outcome } = decision;
    if (outcome.kind === "picked") {
      this.#route(decision, outcome);
      return;
    }
    this.#tellEnd("error");
    const { facts, targetModel, fairnessId, priority } = decision;
    this.#refuse(outcome.rejection, { model: facts.model, targetModel, fairnessId, priority });
  }

  /**
   * The request's prompts cut into blocks of another size than its plan foresaw, while the decision is awaited;
   * undefined when there is nothing to cut (any more).
   */
  blocks(blockSizeTokens: number): BlockedPrompts | undefined {
    const prompts = this.#read?.parsed?.prompts();
    return prompts && this.#options.blockIds(prompts, [blockSizeTokens]).blocks[0];
  }

  /** So many bytes of bodies have left the transport. */
  flushed(bytes: number): void {
    this.#share.give(bytes);
  }

  /**
   * The stream is over. `finished`: the proxy closed its side; `reset`: it broke the stream off, as Envoy does with
   * every stream that it needs no longer; `error`: it failed.
   */
  closed(how: "finished" | "reset" | "error"): void {
    this.#finished = true;
    const noBodyComes = this.#responseStarted && this.#config?.responseBodyMode === BODY_MODE.none;
    if (how === "error") this.#tellEnd("error");
    else this.#tellEnd(noBodyComes ? "natural" : "client-disconnect");
    this.#phase = "abandoned";
    this.#dropRequest();
    this.#share.close();
    this.#host.meter?.closed();
  }

  #requestHeaders(message: HeadersMessage): void {
    if (this.#phase !== "reading" || this.#headersSeen) return;
    this.#headersSeen = true;
    if (message.overLimit !== undefined) {
      this.#refuse(headersTooLarge(message.overLimit));
      return;
    }
    this.#headers = foldRequestHeaders(message.headers);
    this.#headersMetadata = message.metadata;
    const id = requestIdOf(this.#headers, this.#options.newRequestId);
    this.#requestId = id;
    this.#host.meter?.requestHeaders?.(this.#headers, id.value);
    if (message.endOfStream) {
      if (id.made) this.#requestIdToSet = id.value;
      this.#arrive(readBodylessRequest(this.#options, this.#headers, id.value));
      return;
    }
    switch (this.#requestBodyMode()) {
      case BODY_MODE.fullDuplexStreamed:
        return;
      case BODY_MODE.buffered:
      case BODY_MODE.bufferedPartial:
        // The body only comes once the headers are answered.
        this.#host.send(answer("requestHeaders"));
        return;
      default:
        this.#refuse(unroutableBodyMode(this.#requestBodyMode()));
    }
  }

  #requestBody(message: BodyMessage): void {
    if (this.#phase !== "reading") return;
    const { body } = message;
    const { bodyBytesMax } = this.#options.limits;
    if (this.#body.length + body.length > bodyBytesMax) {
      this.#refuse(bodyTooLarge(bodyBytesMax));
      return;
    }
    if (!this.#share.take(body.length)) {
      this.#refuse(BODIES_FULL);
      return;
    }
    this.#body.push(body);
    const mode = this.#requestBodyMode();
    // The buffered modes send one message, which does not say end of stream when trailers follow.
    const only = mode === BODY_MODE.buffered || mode === BODY_MODE.bufferedPartial;
    if (message.endOfStream || only) this.#bodyComplete(message.metadata, message.endOfStream);
  }

  #requestTrailers(message: TrailersMessage): void {
    if (!this.#config) return;
    if (this.#phase === "routed") {
      this.#host.send({ kind: "requestTrailers" });
      return;
    }
    this.#trailersWait = true;
    if (this.#phase === "reading") this.#bodyComplete(message.metadata, true);
  }

  /** @param whole false when there may be more of the body than the proxy's buffer holds */
  #bodyComplete(metadata: StreamMetadata | undefined, whole: boolean): void {
    this.#host.meter?.requestComplete();
    const id = this.#requestId ?? requestIdOf(this.#headers, this.#options.newRequestId);
    const empty = this.#headers.has(REQUEST_ID_HEADER);
    if (id.made && this.#headersSeen && (!empty || this.#config)) this.#requestIdToSet = id.value;
    const subset = readSubset(metadata) ?? (this.#config && readSubset(this.#headersMetadata));
    this.#whole = this.#body.takeWhole();
    const read = readRequest(this.#options, this.#headers, id.value, this.#whole, subset);
    const cutOff = !whole && this.#requestBodyMode() === BODY_MODE.bufferedPartial;
    if ("code" in read) this.#refuse(cutOff ? BODY_CUT_OFF : read);
    else this.#arrive(read);
  }

  #arrive(read: ReadRequest): void {
    this.#read = read;
    this.#phase = "deciding";
    this.#host.arrive(read.facts);
  }

  #route(decision: Decision, picked: Picked): void {
    const read = this.#read!;
    const body = this.#whole ?? new Uint8Array(0);
    const form = this.#answerForm(read.facts.bodyless);
    const trace = this.#host.meter?.traceHeaders?.() ?? NO_TRACE;
    const request = { decision, picked, read, body, headers: this.#headers, requestId: this.#requestIdToSet, trace };
    const messages = routeAnswer(request, form, this.#options);
    this.#phase = "routed";
    this.#dropRequest();
    for (const message of messages) this.#share.hold(bodyBytesOf(message));
    this.#relay = this.#newRelay(read.parser, read.facts.stream, decision.facts.model, decision.targetModel);
    for (const message of messages) this.#host.send(message);
    if (this.#trailersWait) this.#host.send({ kind: "requestTrailers" });
    this.#host.meter?.routed(decision, read.facts.bodyless ? -1 : sentBytes(messages) || body.length);
    if (read.parsed?.skipResponse) {
      this.#tellEnd("natural");
      this.#finish(STATUS_OK);
    }
  }

  #answerForm(bodyless: boolean): AnswerForm {
    if (bodyless) return { kind: "headersOnly" };
    if (this.#requestBodyMode() !== BODY_MODE.fullDuplexStreamed) return { kind: "buffered" };
    return { kind: "streamed", bodyEndsStream: !this.#trailersWait };
  }

  /** Ends the exchange with an error to the client. `request`: who it is counted for; by its headers alone when not given. */
  #refuse(rejection: Rejection, request = meteredByHeaders(this.#headers)): void {
    this.#phase = "refused";
    this.#dropRequest();
    this.#host.send(immediateAnswer(rejection));
    this.#host.meter?.refused(rejection.code, request);
    this.#finish(STATUS_OK);
  }

  #responseHeaders(message: HeadersMessage): void {
    const relay = this.#openRelay();
    const first = this.#phase === "routed" && !this.#responseStarted && !this.#endTold;
    const edits = first ? this.#host.responseStarted(readServed(message.metadata)) : NO_EDITS;
    this.#responseStarted = true;
    const relayed = relay.headers(message, edits);
    this.#host.meter?.responseHeaders(relay.isStream, statusOf(message.headers));
    if (saysServerError(message.headers)) this.#host.meter?.modelServerError();
    this.#relayed(relayed);
  }

  #responseBody(message: BodyMessage): void {
    const relay = this.#openRelay();
    this.#host.meter?.responseBody(message.body.length);
    if (!this.#firstByteSeen && message.body.length > 0) {
      this.#firstByteSeen = true;
      if (this.#phase === "routed" && !this.#endTold) this.#host.responseFirstByte();
    }
    this.#relayed(relay.body(message));
  }

  #relayed({ messages, complete, overflow }: Relayed): void {
    if (overflow) {
      this.#tellEnd("error");
      this.#finish(BACKLOG);
      return;
    }
    // The end is told before the last message leaves, as plugins may have something to say with it.
    const told = complete ? this.#tellEnd("natural") : undefined;
    for (const message of withEndMetadata(messages, told)) this.#host.send(message);
    if (complete) this.#host.meter?.responseComplete(this.#relay?.reader?.usage());
    this.#host.meter?.responseHandled();
  }

  /** The relay; a response that comes before its request is routed is the proxy's own, and the request is given up. */
  #openRelay(): ResponseRelay {
    if (this.#phase === "reading" || this.#phase === "deciding") {
      this.#tellEnd("client-disconnect");
      this.#phase = "abandoned";
      this.#dropRequest();
    }
    // As stock: a response without a request is read as one to the default path.
    this.#relay ??= this.#newRelay(this.#options.plan().resolveParser(pathOf(NO_HEADERS)), false, "", "");
    return this.#relay;
  }

  /** A relay that holds nothing of the request but what it is given. */
  #newRelay(parser: Parser | undefined, stream: boolean, requested: string, served: string): ResponseRelay {
    const options = {
      stream,
      rename: requested !== "" && served !== "" && requested !== served ? { served, requested } : undefined,
      createReader: (eventStream: boolean) =>
        parser?.createResponseReader?.(eventStream, this.#options.joinsSplitUsage),
      probe: parser && probeOf(this.#options, parser),
      bodyMode: this.#config?.responseBodyMode ?? BODY_MODE.fullDuplexStreamed,
      bodyBytesMax: this.#options.limits.bodyBytesMax,
    };
    return new ResponseRelay(options, this.#share);
  }

  /** Lets go of everything that was kept of the request: a stream may outlive it by minutes. */
  #dropRequest(): void {
    this.#body = new ByteCollector();
    this.#whole = undefined;
    this.#read = undefined;
    this.#headers = NO_HEADERS;
    this.#headersMetadata = undefined;
    this.#share.give(this.#share.bytes);
  }

  /** Tells the host once that a request that it took is over. */
  #tellEnd(cause: EndCause): ResponseMetadata | undefined {
    if (this.#endTold || (this.#phase !== "deciding" && this.#phase !== "routed")) return undefined;
    this.#endTold = true;
    return this.#host.ended(cause, this.#relay?.reader?.usage());
  }

  #finish(status: { readonly code: number; readonly details: string }): void {
    this.#finished = true;
    this.#host.finish(status);
    this.#host.meter?.closed();
  }

  #requestBodyMode(): number {
    return this.#config?.requestBodyMode ?? BODY_MODE.fullDuplexStreamed;
  }
}

/** Times what reads the responses of a parser's requests. */
const probeOf = ({ probe }: MachineOptions, { type }: Parser) =>
  probe && ((edge: "begin" | "end") => probe("ResponseParsing", type, edge));

const sentBytes = (messages: readonly OutgoingMessage[]): number =>
  messages.reduce((sum, message) => sum + bodyBytesOf(message), 0);

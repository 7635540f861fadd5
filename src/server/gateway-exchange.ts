import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { Agent } from "undici";
import type { Decision, Picked } from "../core/decision.ts";
import type { EndCause } from "../core/events.ts";
import { NO_CANDIDATES, NO_PODS, REJECTION_STATUS, type Rejection, rejectionText } from "../core/rejection.ts";
import type { RewriteMode, Usage } from "../core/parser.ts";
import type { BodyAccount, BodyShare } from "../protocol/body-account.ts";
import { joined } from "../protocol/byte-collector.ts";
import type { ExchangeMeter } from "../protocol/exchange-meter.ts";
import { meteredByHeaders } from "../protocol/metered-by-headers.ts";
import { foldRequestHeaders, type HeaderValues } from "../protocol/header-rules.ts";
import {
  type ReadingOptions,
  readBodylessRequest,
  type ReadRequest,
  readRequest,
  requestIdOf,
} from "../protocol/request-reader.ts";
import { bytesOf } from "../core/text.ts";
import type { CoreDriver } from "./core-driver.ts";
import { hasBody, readBody } from "./gateway-body.ts";
import { podRequestHeaders } from "./gateway-headers.ts";
import type { GatewayLimits } from "./gateway-limits.ts";
import { GatewayResponse } from "./gateway-response.ts";
import { guardedMeters } from "./guarded-meters.ts";
import { podOrigin } from "./pod-origin.ts";
import { failureOf, type UpstreamFailure } from "./upstream-failure.ts";

/** What all exchanges of a gateway share. */
export interface ExchangeContext {
  readonly driver: CoreDriver;
  readonly agent: Agent;
  readonly reading: ReadingOptions;
  readonly rewrite: RewriteMode;
  readonly account: BodyAccount;
  readonly newRequestId: () => string;
  readonly limits: GatewayLimits;
  /** True once the gateway stops: connections end after their answer. */
  readonly draining: () => boolean;
  /** Opens the meters of an exchange; absent: nothing is measured. */
  readonly openMeters?: (() => readonly ExchangeMeter[]) | undefined;
  /** Told of what a meter threw: the exchange goes on. */
  readonly observerFailed: (error: unknown) => void;
  /** An attempt at a pod failed. */
  readonly attemptFailed: (target: string, failure: UpstreamFailure) => void;
}

/** Where the next attempt goes. */
interface Route {
  readonly decision: Decision;
  readonly picked: Picked;
  /** Index among the picked ones: 0, then the fallbacks in order. */
  readonly at: number;
}

/**
 * One client request from its headers to the end of its answer: read, decided, sent to the picked pod, and to the next
 * one while a dead pod gave no byte of an answer. Whatever ends it, the core is told once for each arrival.
 */
export class GatewayExchange {
  readonly #context: ExchangeContext;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #share: BodyShare;
  readonly #path: string;
  readonly #headers: HeaderValues;
  readonly #requestId: string;
  readonly #meter: ExchangeMeter | undefined;
  #body: Uint8Array | undefined;
  #read: ReadRequest | undefined;
  /** Key of the arrival that the core has not been told the end of; -1 when there is none. */
  #key = -1;
  #answer: GatewayResponse | undefined;
  #retries = 0;
  readonly #failedIds: string[] = [];
  #lastFailure: UpstreamFailure | undefined;
  #ended = false;

  /** @param path path and query as the client sent them (the server may have set `request.url` anew) */
  constructor(context: ExchangeContext, request: IncomingMessage, path: string, response: ServerResponse) {
    this.#context = context;
    this.#request = request;
    this.#path = path;
    this.#response = response;
    this.#share = context.account.open();
    this.#meter = guardedMeters(context.openMeters, context.observerFailed);
    this.#headers = foldRequestHeaders(headerFields(request, path));
    this.#requestId = requestIdOf(this.#headers, context.newRequestId).value;
  }

  /** Serves it, or refuses it at once for the given reason. */
  start(refusal?: Rejection): void {
    this.#response.once("close", () => this.#closed());
    // Bytes that can no longer be written are no error of ours: the close tells.
    this.#response.on("error", () => undefined);
    if (refusal) return this.#refuse(refusal);
    const { reading, limits } = this.#context;
    if (hasBody(this.#request)) {
      readBody(this.#request, this.#share, limits.bodyBytesMax, (outcome) => this.#bodyRead(outcome));
    } else {
      this.#read = readBodylessRequest(reading, this.#headers, this.#requestId);
      this.#arrive();
    }
  }

  /** Breaks it off: the gateway's time to drain is over. */
  abort(): void {
    this.#answer?.abort(new Error("the gateway stops"));
    this.#response.destroy();
    this.#end("error");
  }

  #bodyRead(outcome: Uint8Array | Rejection): void {
    if (this.#ended) return;
    if ("code" in outcome) return this.#refuse(outcome);
    this.#meter?.requestComplete();
    this.#body = outcome;
    const read = readRequest(this.#context.reading, this.#headers, this.#requestId, outcome, undefined);
    if ("code" in read) return this.#refuse(read);
    this.#read = read;
    this.#arrive();
  }

  #arrive(): void {
    const { driver } = this.#context;
    const excluded = this.#failedIds.length > 0 ? { excluded: [...this.#failedIds] } : {};
    let early: Decision | undefined;
    let arrived = false;
    this.#key = driver.arrive(
      { ...this.#read!.facts, ...excluded },
      {
        decided: (decision) => (arrived ? this.#decided(decision) : (early = decision)) && undefined,
        blocks: this.#blocks,
      },
    );
    arrived = true;
    if (early) this.#decided(early);
  }

  readonly #blocks = (blockSizeTokens: number) => {
    const prompts = this.#read?.parsed?.prompts();
    return prompts && this.#context.reading.blockIds(prompts, [blockSizeTokens]).blocks[0];
  };

  #decided(decision: Decision): void {
    const { outcome } = decision;
    if (outcome.kind === "picked") return this.#attempt({ decision, picked: outcome, at: 0 });
    this.#tell("error");
    const { rejection } = outcome;
    if (this.#lastFailure && (rejection === NO_CANDIDATES || rejection === NO_PODS)) return this.#fail();
    const { facts, targetModel, fairnessId, priority } = decision;
    this.#refuse(rejection, { model: facts.model, targetModel, fairnessId, priority });
  }

  #attempt(route: Route): void {
    const { decision, picked, at } = route;
    const { agent, driver, draining } = this.#context;
    const target = picked.targets[at];
    const key = this.#key;
    if (this.#retries === 0) this.#meter?.routed(decision, decision.facts.bodyless ? -1 : (this.#body?.length ?? 0));
    const answer = new GatewayResponse(this.#response, {
      rename: this.#rename(decision),
      createReader: (eventStream) => this.#read?.parser?.createResponseReader?.(eventStream),
      draining,
      started: (isStream, status) => {
        this.#meter?.responseHeaders(isStream || decision.facts.stream, status);
        if (status >= 400) this.#meter?.modelServerError();
        this.#dropBody();
        if (decision.facts.bodyless) return new Map();
        return driver.responseStarted(key, { served: target, tells: true });
      },
      firstByte: () => !decision.facts.bodyless && driver.responseFirstByte(key),
      passed: (bytes) => {
        this.#meter?.responseBody(bytes);
        this.#meter?.responseHandled();
      },
      done: (usage) => {
        this.#meter?.responseComplete(usage);
        this.#end("natural", usage);
      },
      failed: (error, started) => this.#attemptFailed(route, failureOf(error), started),
    });
    this.#answer = answer;
    const destination = picked.targets.join(",");
    const headers = { destination, requestId: this.#requestId, edits: decision.headers };
    agent.dispatch(
      {
        origin: podOrigin(target),
        path: this.#path,
        method: this.#request.method ?? "GET",
        headers: podRequestHeaders(this.#request.rawHeaders, headers),
        body: sentOnce(this.#podBody(decision)),
      },
      answer,
    );
  }

  #attemptFailed(route: Route, failure: UpstreamFailure, started: boolean): void {
    if (this.#ended) return;
    this.#context.attemptFailed(route.picked.targets[route.at], failure);
    if (started) {
      // Part of the answer is out, so no other pod can give it: the client sees a broken stream.
      this.#response.destroy();
      return this.#end("error");
    }
    this.#lastFailure = failure;
    if (failure.kind !== "dead" || this.#retries >= this.#context.limits.retriesMax) return this.#fail();
    this.#retries++;
    this.#failedIds.push(route.picked.endpointIds[route.at]);
    if (route.at + 1 < route.picked.targets.length) return this.#attempt({ ...route, at: route.at + 1 });
    this.#tell("error");
    this.#arrive();
  }

  /** The pod's body: as it came, or with the model's new name in it. */
  #podBody({ targetModel, facts }: Decision): Uint8Array | null {
    const body = this.#body;
    if (!body) return null;
    const { parser, parsed } = this.#read!;
    if (!parsed?.rewritable || targetModel === "" || targetModel === facts.model || !parser?.rewriteModel) return body;
    return joined(parser.rewriteModel(body, targetModel, this.#context.rewrite));
  }

  #rename({ targetModel, facts }: Decision) {
    if (targetModel === "" || facts.model === "" || targetModel === facts.model) return undefined;
    return { served: targetModel, requested: facts.model };
  }

  /** Lets go of the body, and of what was read from it, which holds it: the answer may take minutes. */
  #dropBody(): void {
    this.#body = undefined;
    this.#read = undefined;
    this.#share.give(this.#share.bytes);
  }

  /** Answers in the stock EPP's words. */
  #refuse(rejection: Rejection, request = meteredByHeaders(this.#headers)): void {
    const { droppedReason, code } = rejection;
    this.#meter?.refused(code, request);
    this.#send(REJECTION_STATUS[code], "text/plain", rejectionText(rejection), {
      ...(droppedReason && { "x-llm-d-request-dropped-reason": droppedReason }),
    });
    this.#end("error");
  }

  /** No pod gave an answer. */
  #fail(): void {
    const { kind, message } = this.#lastFailure!;
    if (kind !== "unsendable") this.#meter?.modelServerError();
    const [status, type] = GATEWAY_ERRORS[kind];
    const text = `Cannot get an answer from a pod: ${message}`;
    this.#send(status, "application/json", JSON.stringify({ error: { message: text, type, code: status } }));
    this.#end("error");
  }

  #send(status: number, type: string, text: string, headers: Record<string, string> = {}): void {
    const response = this.#response;
    if (this.#context.draining()) response.shouldKeepAlive = false;
    const length = String(Buffer.byteLength(text));
    response.writeHead(status, {
      "content-type": type,
      "content-length": length,
      ...headers,
      "x-request-id": this.#requestId,
    });
    response.end(text);
  }

  /** The client's connection is closed; early, when the exchange is not over yet. */
  #closed(): void {
    if (this.#ended) return;
    this.#answer?.abort(new Error("the client went away"));
    this.#end("client-disconnect");
  }

  #tell(cause: EndCause, usage?: Usage): void {
    const key = this.#key;
    this.#key = -1;
    if (key >= 0) this.#context.driver.ended(key, cause, usage);
  }

  #end(cause: EndCause, usage?: Usage): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#tell(cause, usage);
    this.#dropBody();
    this.#share.close();
    this.#meter?.closed();
  }
}

/** A body that undici lets go of once it is sent: it keeps one given as bytes until the answer ends, minutes later. */
function sentOnce(body: Uint8Array | null): Readable | null {
  if (!body || body.length === 0) return null;
  const stream = new Readable({ read: () => undefined });
  // What breaks the request off is told elsewhere.
  stream.on("error", () => undefined);
  stream.push(body);
  stream.push(null);
  return stream;
}

const GATEWAY_ERRORS = {
  dead: [502, "bad_gateway"],
  garbled: [502, "bad_gateway"],
  silent: [504, "gateway_timeout"],
  unsendable: [400, "invalid_request_error"],
} as const satisfies Record<UpstreamFailure["kind"], readonly [number, string]>;

function headerFields({ rawHeaders }: IncomingMessage, path: string) {
  const fields = [{ key: ":path", value: bytesOf(path) }];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    fields.push({ key: rawHeaders[i], value: Buffer.from(rawHeaders[i + 1], "latin1") });
  }
  return fields;
}

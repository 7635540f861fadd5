import { blockIds } from "../../src/core/block-ids.ts";
import { DEFAULT_CORE_LIMITS } from "../../src/core/core-limits.ts";
import type { Notice } from "../../src/core/notices.ts";
import { compilePlan } from "../../src/config/compile-plan.ts";
import { createPickerMetrics } from "../../src/observability/picker-metrics.ts";
import { registerPluginMeasures } from "../../src/observability/plugin-measures.ts";
import { readEndpointsFile } from "../../src/plugins/data-layer/endpoints-file.ts";
import { BodyAccount } from "../../src/protocol/body-account.ts";
import { decodeRequest } from "../../src/protocol/codec.ts";
import type { StreamStatus } from "../../src/protocol/machine-options.ts";
import { BODY_MODE, type IncomingMessage } from "../../src/protocol/messages.ts";
import { CoreDriver } from "../../src/server/core-driver.ts";
import { serveExtProc, type ExtProcStreamOptions } from "../../src/server/ext-proc-stream.ts";
import { readingPlanOf } from "../../src/server/reading-plan.ts";
import { endpointsText, type AnswerMessage, type Case } from "../golden/cases.ts";
import { decodeResponse } from "../golden/wire.ts";
import type { Sequence } from "./corpus.ts";

export const LIMITS = { headersMax: 1000, headerBytesMax: 1 << 20, bodyBytesMax: 1 << 20 };
const BODY_BYTES_IN_FLIGHT_MAX = 16 << 20;
/** Small, so that what grows up to a limit is there before memory is first measured. */
const CORE_LIMITS = { ...DEFAULT_CORE_LIMITS, prefixIndexBytesMax: 1 << 20, decisionsKept: 64, decisionRowsKept: 1024 };
const STEP_US = 500;
/** gRPC codes that end a stream: OK, INVALID_ARGUMENT for what is no ProcessingRequest, RESOURCE_EXHAUSTED. */
const CLEAN_CODES: ReadonlySet<number> = new Set([0, 3, 8]);
const OPTIONS = { "pool-name": "pool", "pool-namespace": "default", "allow-experimental-plugins": true };

/** What became of a stream. */
export interface Outcome {
  readonly answers: readonly AnswerMessage[];
  readonly bodies: { readonly request: Buffer; readonly response: Buffer };
  readonly status: StreamStatus | undefined;
  /** False when its answers were not decoded. */
  readonly isRead: boolean;
}

/** What is expected of a stream and was not so. */
export class FuzzFailure extends Error {
  override readonly name = "FuzzFailure";
}

/** Codec, machine, parsers, core and plugins with one config, in process: all that lies behind the transport. */
export class Target {
  readonly name: string;
  readonly driver: CoreDriver;
  /** Errors that should not be, of plugins too. */
  readonly errors: unknown[] = [];
  readonly #account = new BodyAccount(BODY_BYTES_IN_FLIGHT_MAX);
  readonly #options: ExtProcStreamOptions;
  readonly #metrics = createPickerMetrics(() => this.#nowUs / 1e6);
  #nowUs = 1_000_000;
  #requestCount = 0;

  /** @param isMetered false where nothing is measured, as rows of names that clients make up grow up to their limits */
  constructor({ id, config, endpoints, ...rest }: Case, isMetered = true) {
    this.name = id;
    this.driver = new CoreDriver({
      compile: compilePlan,
      seed: 1,
      nowUs: () => this.#nowUs,
      limits: CORE_LIMITS,
      ...(isMetered && { probe: this.#metrics.probe }),
      failed: (error) => this.errors.push(error),
      ask: () => Promise.reject(new Error("nobody answers")),
    });
    if (isMetered) this.#metrics.attach(this.driver);
    this.driver.observe((notice) => this.#note(notice));
    this.driver.load({ text: config.replaceAll("{endpoints}", "endpoints.yaml"), options: OPTIONS });
    registerPluginMeasures(this.#metrics.registry, () => this.driver.core.plan);
    for (const endpoint of readEndpointsFile(endpointsText({ id, config, endpoints, ...rest })).endpoints) {
      const place = this.driver.upsert(endpoint)!;
      this.driver.scraped({ ...place, waiting: 1, running: 1, kvUsage: 0.1 });
    }
    this.#options = {
      machine: {
        plan: readingPlanOf(this.driver),
        blockIds,
        newRequestId: () => `00000000-0000-4000-8000-${String(this.#requestCount++).padStart(12, "0")}`,
        rewrite: "splice",
        removesClientHeaders: true,
        emitEndpointScores: true,
        limits: LIMITS,
        account: this.#account,
      },
      picker: this.driver,
      openMeters: isMetered ? () => [this.#metrics.exchanges.open()] : undefined,
      failed: (error) => this.errors.push(error),
    };
  }

  /**
   * Serves one stream and ends it.
   * @param reads false where its answers need not be decoded
   * @throws FuzzFailure when an answer is missing, wrong or left something behind
   */
  serve(messages: Sequence, closed: "halfClose" | "reset" = "halfClose", reads = true): Outcome {
    const sent: Buffer[] = [];
    let status: StreamStatus | undefined;
    const stream = serveExtProc(
      {
        send: (parts, flushed) => {
          if (status) return;
          sent.push(Buffer.concat(parts));
          flushed?.();
        },
        end: (ended) => (status ??= ended),
      },
      this.#options,
    );
    for (const message of messages) {
      this.#nowUs += STEP_US;
      if (!status) stream.onMessage(message);
    }
    const hung = !status && sent.length === 0 && wantsAnswer(messages);
    if (closed === "halfClose" && !status) stream.onHalfClose();
    stream.onClosed(status ? "ended" : "reset");
    const outcome = reads ? readAnswers(sent, status) : { answers: [], bodies: NO_BODIES, status, isRead: false };
    this.#check(outcome, hung);
    if (reads) checkBody(messages, outcome);
    return outcome;
  }

  /** Text of the metrics page. */
  metrics(): Promise<string> {
    return this.#metrics.registry.metrics();
  }

  #note(notice: Notice): void {
    if (notice.type === "pluginFailed" || notice.type === "hookFailed") this.errors.push(notice.cause);
  }

  #check({ status }: Outcome, hung: boolean): void {
    const [error] = this.errors.splice(0);
    if (error !== undefined) throw new FuzzFailure(error instanceof Error ? error.stack : String(error));
    if (hung) throw new FuzzFailure("a request that was complete got no answer");
    if (status && !CLEAN_CODES.has(status.code)) {
      throw new FuzzFailure(`the stream ended with ${status.code}: ${status.details}`);
    }
    const { requestCount } = this.driver.core;
    if (requestCount + this.driver.requesterCount > 0) throw new FuzzFailure(`the core holds ${requestCount} requests`);
    if (this.#account.bytes !== 0) throw new FuzzFailure(`${this.#account.bytes} bytes of bodies are counted`);
    for (const { name, plugin } of this.driver.core.plan.plugins) {
      const { inflight_requests: requests = 0, inflight_tokens: tokens = 0 } = plugin.gauges?.() ?? {};
      if (requests !== 0 || tokens !== 0)
        throw new FuzzFailure(`${name} counts ${requests} requests, ${tokens} tokens`);
    }
  }
}

const NO_BODIES = { request: Buffer.alloc(0), response: Buffer.alloc(0) };

function readAnswers(sent: readonly Buffer[], status: StreamStatus | undefined): Outcome {
  const decoded = sent.map((bytes) => {
    try {
      return decodeResponse(bytes, 0);
    } catch (error) {
      throw new FuzzFailure(`an answer is no ProcessingResponse: ${String(error)}`);
    }
  });
  const bodyOfKind = (kind: string): Buffer =>
    Buffer.concat(decoded.flatMap(({ message, body }) => (message.type === kind && body ? [body] : [])));
  return {
    answers: decoded.map(({ message }) => message),
    bodies: { request: bodyOfKind("request_body"), response: bodyOfKind("response_body") },
    status,
    isRead: true,
  };
}

/** Messages up to the first that is none. */
function decoded(messages: Sequence): readonly IncomingMessage[] {
  const read: IncomingMessage[] = [];
  for (const message of messages) {
    try {
      read.push(decodeRequest(message, LIMITS));
    } catch {
      break;
    }
  }
  return read;
}

/** True when the request is complete before anything of a response came; a second message of headers counts for nothing. */
function wantsAnswer(messages: Sequence): boolean {
  const read = decoded(messages);
  const head = read.find(({ kind }) => kind === "requestHeaders");
  for (const message of read) {
    if (message.kind.startsWith("response")) return false;
    if (message === head && message.kind === "requestHeaders" && message.endOfStream) return true;
    if (message.kind === "requestBody" && message.endOfStream) return true;
  }
  return false;
}

/** A request that was routed goes on byte for byte, unless its model was rewritten. */
function checkBody(messages: Sequence, { answers, bodies }: Outcome): void {
  if (!answers.some(({ type }) => type === "request_body")) return;
  const read = decoded(messages);
  const modes = read.find(({ protocolConfig }) => protocolConfig)?.protocolConfig;
  if (modes && modes.requestBodyMode !== BODY_MODE.fullDuplexStreamed) return;
  const rewrites = /x-(llm-d|gateway)-model-name-rewrite/i;
  if (read.some((message) => "headers" in message && message.headers.some(({ key }) => rewrites.test(key)))) return;
  const came: Uint8Array[] = [];
  for (const message of read) {
    if (modes && message.kind === "requestTrailers") break;
    if (message.kind !== "requestBody") continue;
    came.push(message.body);
    if (message.endOfStream) break;
  }
  if (!Buffer.concat(came).equals(bodies.request)) throw new FuzzFailure("a body went on otherwise than it came");
}

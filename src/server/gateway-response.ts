import type { ServerResponse } from "node:http";
import type { Dispatcher } from "undici";
import type { ResponseReader, Usage } from "../core/parser.ts";
import { clientResponseHeaders } from "./gateway-headers.ts";
import { ModelNameRestorer } from "./gateway-model-name.ts";

export interface GatewayResponseOptions {
  /** Model names when they differ: the pod says `served`, the client expects `requested`. */
  readonly rename: { readonly served: string; readonly requested: string } | undefined;
  readonly createReader: (eventStream: boolean) => ResponseReader | undefined;
  readonly draining: () => boolean;
  /** Response headers came, of a stream of events or not; gives the headers that plugins set on the answer. */
  readonly started: (isStream: boolean, status: number) => ReadonlyMap<string, string>;
  /** The first byte of the body came. */
  readonly firstByte: () => void;
  /** So many bytes of the body came. */
  readonly passed: (bytes: number) => void;
  /** The answer is complete. */
  readonly done: (usage: Usage | undefined) => void;
  /** It broke off; `started` when headers had been passed on. */
  readonly failed: (error: Error, started: boolean) => void;
}

/** Passes one pod's answer on to the client, unbuffered: a slow client slows the pod down. */
export class GatewayResponse implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;
  readonly #options: GatewayResponseOptions;
  #controller: Dispatcher.DispatchController | undefined;
  #aborted: Error | undefined;
  #started = false;
  #seenByte = false;
  #reader: ResponseReader | undefined;
  #restorer: ModelNameRestorer | undefined;
  readonly #drained = (): void => this.#controller?.resume();

  constructor(response: ServerResponse, options: GatewayResponseOptions) {
    this.#response = response;
    this.#options = options;
  }

  /** Cancels the request at the pod, now or as soon as it is sent. Nothing is told after that. */
  abort(reason: Error): void {
    this.#aborted = reason;
    this.#response.off("drain", this.#drained);
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#aborted) controller.abort(this.#aborted);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, _headers: unknown, text?: string): void {
    if (status < 200 || this.#aborted) return;
    const { rename, draining, started, createReader } = this.#options;
    const headers = textHeaders(controller.rawHeaders);
    const isStream = isEventStream(headers);
    this.#reader = createReader(isStream);
    if (rename) this.#restorer = new ModelNameRestorer(rename.served, rename.requested);
    const response = this.#response;
    if (draining()) response.shouldKeepAlive = false;
    response.on("drain", this.#drained);
    response.writeHead(status, text || undefined, clientResponseHeaders(headers, started(isStream, status), !rename));
    this.#started = true;
    // After the bytes that came along with the headers, which so share a packet with them.
    process.nextTick(() => response.writableEnded || response.destroyed || response.flushHeaders());
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#aborted) return;
    if (!this.#seenByte) {
      this.#seenByte = true;
      this.#options.firstByte();
    }
    this.#reader?.push(chunk, false);
    const bytes = this.#restorer ? this.#restorer.push(chunk) : chunk;
    if (bytes.length > 0 && !this.#response.write(bytes)) controller.pause();
    this.#options.passed(chunk.length);
  }

  onResponseEnd(): void {
    if (this.#aborted) return;
    this.#reader?.push(NO_BYTES, true);
    this.#response.off("drain", this.#drained);
    const held = this.#restorer?.end() ?? NO_BYTES;
    if (held.length > 0) this.#response.end(held);
    else this.#response.end();
    this.#options.done(this.#reader?.usage());
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#aborted) return;
    this.#response.off("drain", this.#drained);
    this.#options.failed(error, this.#started);
  }
}

const NO_BYTES = new Uint8Array(0);

function textHeaders(raw: Dispatcher.DispatchController["rawHeaders"]): string[] {
  if (!Array.isArray(raw)) throw new TypeError(`Cannot read an answer's headers: found ${typeof raw}`);
  return raw.map((field) => (typeof field === "string" ? field : field.toString("latin1")));
}

function isEventStream(headers: readonly string[]): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i].toLowerCase() === "content-type" && headers[i + 1].includes("text/event-stream")) return true;
  }
  return false;
}

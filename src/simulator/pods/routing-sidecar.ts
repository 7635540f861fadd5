import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { ApiError } from "./api-error.ts";
import { sendError } from "./answer-writer.ts";
import { closePort, openPort } from "./http-listener.ts";
import { readBody } from "./read-body.ts";
import { decodeBody, isHostPort, parseFields, prefillBody, targetsOf, withCachedTokens } from "./sidecar-bodies.ts";
import { encodeMedia } from "./sidecar-encode.ts";
import { SidecarUpstream, type Prefill } from "./sidecar-upstream.ts";

/** What a routing side-car does when a prefill or encode pod fails. */
export interface SidecarOptions {
  /**
   * `decode`: the pod of the side-car does the work itself (llm-d's side-car at first). `error`: the client gets
   * the error (later releases). Errors 4xx are the client's in either case.
   */
  readonly prefillFailure: "decode" | "error";
  /** A prefill that takes longer has failed; real milliseconds. */
  readonly prefillMsMax: number;
}

/** The earlier way, since a request is lost otherwise; a prefill may wait in a long queue. */
export const SIDECAR_DEFAULTS: SidecarOptions = { prefillFailure: "decode", prefillMsMax: 300_000 };

/** What a side-car did with requests that it read. */
export interface SidecarCounts {
  /** Prompt computed by the prefill pod. */
  disaggregated: number;
  /** Prefill failed, the pod did it all. */
  degraded: number;
  /** Prefill failed, the client was told. */
  failed: number;
  /** No prefill pod was named. */
  decodeOnly: number;
  /** Pictures, sounds and films that encode pods encoded, and those that they failed to. */
  encodedItems: number;
  failedItems: number;
}

export interface SidecarSettings extends SidecarOptions {
  /** `http://HOST:PORT` of the engine that it stands before. */
  readonly engineUrl: string;
  readonly bodyBytesMax: number;
  readonly connectionsMax: number;
}

const PREFILL_HEADER = "x-prefiller-host-port";
const ENCODE_HEADER = "x-encoder-hosts-ports";
const CHAT_PATH = "/v1/chat/completions";
const GENERATION_PATHS = new Set(["/v1/completions", CHAT_PATH]);
const CONTROL_PATHS = "/sim/";
const COUNTS_PATH = "/sim/sidecar";
const KEEP_ALIVE_MS = 120_000;

/**
 * The routing side-car of a decode pod, as llm-d's with its NIXLv2 connector. A generation request that names a prefill
 * pod (`x-prefiller-host-port`) goes there first, as a request for one token whose blocks are held; what the answer says
 * about them (`kv_transfer_params`) goes with the client's request to the engine, which fetches them. Before that, media
 * of a chat go to the encode pods that it names (`x-encoder-hosts-ports`), and where they are encoded goes with the
 * prompt (`ec_transfer_params`). Everything else passes through. The routing headers never reach an engine. Stock's allow list, its retries and its other connectors
 * are not there.
 */
export class RoutingSidecar {
  readonly counts: SidecarCounts = {
    disaggregated: 0,
    degraded: 0,
    failed: 0,
    decodeOnly: 0,
    encodedItems: 0,
    failedItems: 0,
  };
  readonly #settings: SidecarSettings;
  readonly #upstream: SidecarUpstream;
  readonly #server: Server;
  /** Answers under way to what a test or a person tells the pod. */
  readonly #controls = new Set<Promise<void>>();

  constructor(settings: SidecarSettings) {
    this.#settings = settings;
    this.#upstream = new SidecarUpstream(settings);
    this.#server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true }, (request, response) => {
      void this.#serve(request, response);
    });
    this.#server.maxConnections = settings.connectionsMax;
  }

  /** Opens the port, 0 for a free one; returns its number. */
  listen(host: string, port: number): Promise<number> {
    return openPort(this.#server, host, port);
  }

  /** Resolves when what the pod was told over its side-car (`/sim/...`) has been answered. */
  async controlsAnswered(): Promise<void> {
    await Promise.all(this.#controls);
  }

  /** Closes the port and every connection. */
  stopListening(): Promise<void> {
    return closePort(this.#server);
  }

  /** Ends it for good. */
  async stop(): Promise<void> {
    await closePort(this.#server);
    await this.#upstream.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => {});
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    if (request.url?.startsWith(CONTROL_PATHS)) this.#noteControl(response);
    try {
      await this.#route(request, response, gone.signal);
    } catch (error) {
      if (error instanceof ApiError && error.status === 413) response.setHeader("connection", "close");
      sendError(response, error, {});
    }
  }

  #noteControl(response: ServerResponse): void {
    const answered = new Promise<void>((resolve) => {
      response.once("finish", resolve).once("close", resolve);
    });
    this.#controls.add(answered);
    void answered.then(() => this.#controls.delete(answered));
  }

  async #route(request: IncomingMessage, response: ServerResponse, gone: AbortSignal): Promise<void> {
    const path = (request.url ?? "/").split("?", 1)[0];
    if (path === COUNTS_PATH) return sendJson(response, this.counts);
    const stages: Stages = {
      prefill: targetsOf(request.headersDistinct[PREFILL_HEADER])[0],
      encode: path === CHAT_PATH ? targetsOf(request.headersDistinct[ENCODE_HEADER]) : [],
    };
    delete request.headers[PREFILL_HEADER];
    delete request.headers[ENCODE_HEADER];
    const generates = GENERATION_PATHS.has(path) && request.method === "POST";
    if (generates && stages.prefill === undefined) this.counts.decodeOnly++;
    if (generates && (stages.prefill !== undefined || stages.encode.length > 0)) {
      return this.#disaggregate(stages, request, response, gone);
    }
    const body = request.method === "GET" || request.method === "HEAD" ? undefined : request;
    await this.#upstream.forward({ request, response, body, gone });
  }

  async #disaggregate(
    { prefill, encode }: Stages,
    request: IncomingMessage,
    response: ServerResponse,
    gone: AbortSignal,
  ): Promise<void> {
    let text = await readBody(request, this.#settings.bodyBytesMax);
    let fields = parseFields(text);
    // The engine says what is wrong with it.
    if (!fields) return this.#upstream.forward({ request, response, body: text, gone });
    request.headers["x-request-id"] ??= randomUUID();
    if (encode.length > 0) {
      const { items, failed, ecTransferParams } = await encodeMedia(this.#upstream, encode, request, fields, gone);
      if (gone.aborted) return;
      this.counts.encodedItems += items - failed;
      this.counts.failedItems += failed;
      if (failed > 0 && this.#settings.prefillFailure === "error") {
        throw new ApiError(
          502,
          "BadGateway",
          `Cannot encode at ${encode.join(", ")}: ${failed} of ${items} items failed`,
        );
      }
      if (items > failed) {
        fields = { ...fields, ec_transfer_params: ecTransferParams };
        text = JSON.stringify(fields);
      }
    }
    if (prefill === undefined) return this.#upstream.forward({ request, response, body: text, gone });
    await this.#prefillFirst({ prefill, fields, text }, request, response, gone);
  }

  async #prefillFirst(
    { prefill: target, fields, text }: { prefill: string; fields: Readonly<Record<string, unknown>>; text: string },
    request: IncomingMessage,
    response: ServerResponse,
    gone: AbortSignal,
  ): Promise<void> {
    const prefill: Prefill = isHostPort(target)
      ? await this.#upstream.prefill(target, request, prefillBody(fields), gone)
      : { kind: "failed", status: 502, message: `${PREFILL_HEADER} ${JSON.stringify(target)} is no host:port` };
    if (gone.aborted) return;
    if (prefill.kind === "refused") {
      this.counts.failed++;
      response.writeHead(prefill.status, { "content-type": "application/json" });
      response.end(prefill.body);
    } else if (prefill.kind === "done") {
      this.counts.disaggregated++;
      const body = decodeBody(fields, prefill.answer.kvTransferParams);
      const change = (line: string): string => withCachedTokens(line, prefill.answer.cachedTokens);
      await this.#upstream.forward({ request, response, body, gone, change });
    } else if (this.#settings.prefillFailure === "decode") {
      this.counts.degraded++;
      await this.#upstream.forward({ request, response, body: text, gone });
    } else {
      this.counts.failed++;
      throw new ApiError(prefill.status, "BadGateway", `Cannot prefill at ${target}: ${prefill.message}`);
    }
  }
}

/** The pods that the picker named for the stages before decode. */
interface Stages {
  readonly prefill: string | undefined;
  readonly encode: readonly string[];
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

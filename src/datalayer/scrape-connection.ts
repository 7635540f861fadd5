import { type Socket, connect, isIP } from "node:net";
import { type SecureContext, type SecureContextOptions, connect as connectTls, createSecureContext } from "node:tls";
import { HttpResponseReader } from "./http-response.ts";
import type { PageBuffer } from "./page-buffers.ts";

/** TLS of the scraper towards pods. */
export interface ScrapeTls extends Pick<SecureContextOptions, "ca" | "cert" | "key"> {
  /** True: the pods' certificates go unchecked. */
  readonly insecureSkipVerify: boolean;
}

/** Where a metrics page is. */
export interface ScrapeTarget {
  readonly host: string;
  readonly port: number;
  /** Path of the request, encoded. */
  readonly path: string;
  /** Undefined for plain HTTP. */
  readonly tls?: ScrapeTls | undefined;
}

/** Takes the end of one request: an error, or undefined when the page is complete and in the buffer. */
export type ScrapeDone = (error: Error | undefined) => void;

/** Bytes from all connections arrive here, one read at a time, and are used up before the next. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

/** Contexts by what they are made of: reading the authorities costs milliseconds, and each pod has a connection. */
const contexts = new WeakMap<ScrapeTls, SecureContext>();

function contextOf(tls: ScrapeTls): SecureContext {
  let context = contexts.get(tls);
  if (!context) {
    const { ca, cert, key } = tls;
    context = createSecureContext({ ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert, key }) });
    contexts.set(tls, context);
  }
  return context;
}

/**
 * One connection to one pod, kept alive from request to request and opened anew when it is gone. At most one request
 * and one attempt to connect at a time. No time-out of its own: `abort` ends what takes too long.
 */
export class ScrapeConnection {
  readonly #target: ScrapeTarget;
  readonly #request: Buffer;
  readonly #response: HttpResponseReader;
  #socket: Socket | undefined;
  #done: ScrapeDone | undefined;
  /** True while the current request goes over a connection that served one before. */
  #reused = false;

  /** @param page Gets the page of each request; cleared when the next begins. */
  constructor(target: ScrapeTarget, page: PageBuffer) {
    const { host, port, path } = target;
    this.#target = target;
    this.#response = new HttpResponseReader(page);
    this.#request = Buffer.from(
      `GET ${path} HTTP/1.1\r\nHost: ${isIP(host) === 6 ? `[${host}]` : host}:${port}\r\nUser-Agent: warmpath\r\n\r\n`,
      "latin1",
    );
  }

  /** Asks for the page. Must not be called before the last request is done. */
  request(done: ScrapeDone): void {
    this.#done = done;
    this.#reused = this.#socket !== undefined;
    this.#send();
  }

  /** Ends the request that is under way, and its connection with it. */
  abort(error: Error): void {
    this.#drop();
    this.#finish(error);
  }

  /** Ends the connection; a request under way is forgotten. */
  close(): void {
    this.#done = undefined;
    this.#drop();
    this.#response.reset();
  }

  #send(): void {
    this.#response.reset();
    this.#socket ??= this.#connect();
    this.#socket.write(this.#request);
  }

  #connect(): Socket {
    const { host, port, tls } = this.#target;
    const onread = {
      buffer: READ_BUFFER,
      callback: (bytes: number) => {
        if (this.#socket === socket) this.#received(bytes);
        return true;
      },
    };
    const options = { host, port, noDelay: true, onread };
    const socket: Socket = tls
      ? connectTls({
          ...options,
          secureContext: contextOf(tls),
          rejectUnauthorized: !tls.insecureSkipVerify,
          ...(isIP(host) === 0 && { servername: host }),
        })
      : connect(options);
    socket.on("error", (error) => this.#lost(socket, error));
    socket.on("end", () => this.#lost(socket, undefined));
    socket.on("close", () => this.#lost(socket, undefined));
    return socket;
  }

  #received(bytes: number): void {
    if (!this.#done) {
      // Bytes that nobody asked for.
      this.#drop();
      return;
    }
    try {
      if (!this.#response.feed(READ_BUFFER, bytes)) return;
    } catch (error) {
      this.abort(error as Error);
      return;
    }
    this.#complete();
  }

  #complete(): void {
    const { status, keepsAlive } = this.#response;
    if (!keepsAlive) this.#drop();
    this.#finish(status === 200 ? undefined : new Error(`status ${status}`));
  }

  /** The pod or the network ended the connection. */
  #lost(socket: Socket, error: Error | undefined): void {
    if (this.#socket !== socket) return;
    this.#drop();
    if (!this.#done) return;
    if (!error && this.#response.end()) this.#complete();
    else if (this.#reused && this.#response.untouched) {
      // An idle connection that the pod gave up just when it was used again.
      this.#reused = false;
      this.#send();
    } else
      this.#finish(
        error ??
          new Error(this.#response.untouched ? "closed without an answer" : "closed in the middle of the answer"),
      );
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }

  #finish(error: Error | undefined): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(error);
  }
}

import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { FrameWalker } from "./frame-walker.ts";

const PREFACE_BYTES = 24;
const RST_STREAM = 3;
/** GOAWAY, NO_ERROR, with the largest stream id there is: open no more streams here, those on their way are served. */
const GRACEFUL_GOAWAY = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

/**
 * A connection on its way to an HTTP/2 server, which counts the streams that the client resets and once asks the client
 * to go on with a new connection. The server itself does not know of it, so it goes on taking streams: nothing is lost.
 */
export class CountedConnection extends Duplex {
  readonly #socket: Socket;
  readonly #resetsMax: number;
  readonly #in: FrameWalker;
  readonly #out = new FrameWalker(0);
  #resets = 0;
  #asked = false;

  constructor(socket: Socket, resetsMax: number) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#resetsMax = resetsMax;
    // The HTTP/2 server does this with a socket, but does not see this one.
    socket.setNoDelay(true);
    this.#in = new FrameWalker(PREFACE_BYTES, (type) => {
      if (type === RST_STREAM) this.#resets++;
    });
    socket.on("data", (chunk: Buffer) => this.#received(chunk));
    socket.on("end", () => this.push(null));
    socket.on("error", (error) => this.destroy(error));
    socket.on("close", () => this.destroy());
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort;
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
    this.#out.see(chunk);
    this.#ask();
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#socket.cork();
    for (const [i, { chunk }] of chunks.entries()) {
      if (i === chunks.length - 1) this._write(chunk, "binary", done);
      else {
        this.#socket.write(chunk);
        this.#out.see(chunk);
      }
    }
    this.#socket.uncork();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #received(chunk: Buffer): void {
    this.#in.see(chunk);
    this.#ask();
    if (!this.push(chunk)) this.#socket.pause();
  }

  /** Only between two of the server's own frames. */
  #ask(): void {
    if (this.#asked || this.#resets < this.#resetsMax || !this.#out.isBetweenFrames) return;
    this.#asked = true;
    this.#socket.write(GRACEFUL_GOAWAY);
  }
}

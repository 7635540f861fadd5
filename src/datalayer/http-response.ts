import type { PageBuffer } from "./page-buffers.ts";

/** Most bytes of a response's head, and of its trailers. */
export const HEADER_BYTES_MAX = 16 * 1024;
/** Most bytes of a chunk's size line. */
const CHUNK_LINE_BYTES_MAX = 256;
/** Most bytes of the body of a refusal that are read, and dropped, to keep the connection. */
const REFUSAL_BYTES_MAX = 64 * 1024;

const CR = 13;
const LF = 10;

type State = "head" | "length" | "close" | "chunkSize" | "chunkData" | "chunkEnd" | "trailers" | "done";

/**
 * Reads one HTTP/1.1 response after the other from the bytes of a connection: the head, and a body by Content-Length,
 * in chunks or up to the connection's end. The body goes to a page buffer; that of any status but 200 is dropped.
 */
export class HttpResponseReader {
  status = 0;
  /** Whether the connection can be used again after this response. */
  keepsAlive = false;

  readonly #page: PageBuffer;
  #state: State = "head";
  readonly #line = new Uint8Array(HEADER_BYTES_MAX);
  #lineLength = 0;
  /** Bytes left of the body or of the chunk. */
  #left = 0;
  #dropped = 0;
  #trailerBytes = 0;

  constructor(page: PageBuffer) {
    this.#page = page;
  }

  /** True when nothing of a response has come. */
  get untouched(): boolean {
    return this.#state === "head" && this.#lineLength === 0;
  }

  /** Gets ready for the next response. */
  reset(): void {
    this.#state = "head";
    this.#lineLength = 0;
    this.#trailerBytes = 0;
    this.#dropped = 0;
    this.status = 0;
    this.keepsAlive = false;
    this.#page.clear();
  }

  /** Takes chunk[0, end). True when the response is complete. Throws when it is malformed or too long. */
  feed(chunk: Uint8Array, end: number): boolean {
    let i = 0;
    while (i < end && this.#state !== "done") i = this.#step(chunk, i, end);
    // What comes after the end was not asked for: the connection is not to be trusted.
    if (i < end) this.keepsAlive = false;
    return this.#state === "done";
  }

  /** The connection ended. True when that completes the response. */
  end(): boolean {
    if (this.#state === "close") this.#state = "done";
    return this.#state === "done";
  }

  /** Takes some bytes from `i` on; returns the index after them. */
  #step(chunk: Uint8Array, i: number, end: number): number {
    switch (this.#state) {
      case "head":
        return this.#head(chunk, i, end);
      case "length":
      case "chunkData":
        return this.#counted(chunk, i, end);
      case "close":
        this.#body(chunk, i, end);
        return end;
      case "chunkSize":
        return this.#chunkSize(chunk, i, end);
      case "chunkEnd":
      case "trailers":
        return this.#trailer(chunk, i, end);
      default:
        return i;
    }
  }

  #head(chunk: Uint8Array, i: number, end: number): number {
    const line = this.#line;
    while (i < end) {
      if (this.#lineLength === HEADER_BYTES_MAX)
        throw new Error(`the answer's head has more than ${HEADER_BYTES_MAX} bytes`);
      const byte = chunk[i++];
      line[this.#lineLength++] = byte;
      if (byte !== LF) continue;
      const last = this.#lineLength - 2;
      if (last >= 0 && (line[last] === LF || (line[last] === CR && line[last - 1] === LF))) {
        const head = Buffer.from(line.buffer, 0, this.#lineLength).toString("latin1");
        this.#lineLength = 0;
        this.#readHead(head);
        break;
      }
    }
    return i;
  }

  #readHead(head: string): void {
    const [first, ...lines] = head.trimEnd().split(/\r?\n/);
    const found = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(first);
    if (!found) throw new Error(`the answer is not HTTP/1.1: ${JSON.stringify(first.slice(0, 40))}`);
    this.status = Number(found[2]);
    // An interim response: the real one follows.
    if (this.status < 200 && this.status !== 101) return;
    const headers = readHeaders(lines);
    const connection = headers.get("connection")?.toLowerCase() ?? "";
    this.keepsAlive = found[1] === "1" ? !connection.includes("close") : connection.includes("keep-alive");
    const encoding = headers.get("content-encoding") ?? "identity";
    if (this.status === 200 && encoding !== "identity")
      throw new Error(`the page is encoded as ${encoding}, which was not asked for`);
    this.#state = this.#bodyState(headers);
    if (this.#state === "close") this.keepsAlive = false;
  }

  #bodyState(headers: ReadonlyMap<string, string>): State {
    if (this.status === 204 || this.status === 304) return "done";
    const transfer = headers.get("transfer-encoding");
    if (transfer !== undefined) {
      if (transfer.toLowerCase() !== "chunked")
        throw new Error(`the answer's transfer encoding is ${JSON.stringify(transfer)}`);
      return "chunkSize";
    }
    const length = headers.get("content-length");
    if (length === undefined) return "close";
    if (!/^\d{1,15}$/.test(length)) throw new Error(`the answer's content-length is ${JSON.stringify(length)}`);
    this.#left = Number(length);
    if (this.status === 200) this.#page.expect(this.#left);
    return this.#left === 0 ? "done" : "length";
  }

  #counted(chunk: Uint8Array, i: number, end: number): number {
    const stop = Math.min(i + this.#left, end);
    this.#body(chunk, i, stop);
    this.#left -= stop - i;
    if (this.#left === 0) this.#state = this.#state === "length" ? "done" : "chunkEnd";
    return stop;
  }

  #body(chunk: Uint8Array, start: number, end: number): void {
    if (this.status === 200) this.#page.append(chunk, start, end);
    else {
      this.#dropped += end - start;
      if (this.#dropped > REFUSAL_BYTES_MAX)
        throw new Error(`status ${this.status} with a body of more than ${REFUSAL_BYTES_MAX} bytes`);
    }
  }

  #chunkSize(chunk: Uint8Array, i: number, end: number): number {
    while (i < end) {
      if (this.#lineLength === CHUNK_LINE_BYTES_MAX) throw new Error("a chunk's size is too long");
      const byte = chunk[i++];
      this.#line[this.#lineLength++] = byte;
      if (byte !== LF) continue;
      const text = Buffer.from(this.#line.buffer, 0, this.#lineLength).toString("latin1");
      this.#lineLength = 0;
      const size = /^([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?\r?\n$/.exec(text);
      if (!size) throw new Error(`a chunk's size is ${JSON.stringify(text.slice(0, 40))}`);
      this.#left = Number.parseInt(size[1], 16);
      this.#state = this.#left === 0 ? "trailers" : "chunkData";
      break;
    }
    return i;
  }

  /** The line end after a chunk, or a line of trailers. */
  #trailer(chunk: Uint8Array, i: number, end: number): number {
    while (i < end) {
      const byte = chunk[i++];
      if (this.#state === "chunkEnd") {
        if (byte !== LF && byte !== CR) throw new Error("a chunk is longer than its size");
        if (byte === LF) {
          this.#state = "chunkSize";
          break;
        }
        continue;
      }
      if (++this.#trailerBytes > HEADER_BYTES_MAX)
        throw new Error(`the answer's trailers have more than ${HEADER_BYTES_MAX} bytes`);
      if (byte === LF) {
        if (this.#lineLength === 0) {
          this.#state = "done";
          break;
        }
        this.#lineLength = 0;
      } else if (byte !== CR) this.#lineLength++;
    }
    return i;
  }
}

/** Headers by lower-case name. Throws when one of those that tell the body's length stands there twice. */
function readHeaders(lines: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon <= 0) throw new Error(`the answer has the header ${JSON.stringify(line.slice(0, 40))}`);
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const known = headers.get(name);
    if (known !== undefined && known !== value && (name === "content-length" || name === "transfer-encoding"))
      throw new Error(`the answer has two headers ${name}`);
    headers.set(name, value);
  }
  return headers;
}

import { COMPRESSED, FRAME_HEADER_BYTES } from "./grpc-payload.ts";

/** Takes the messages of a gRPC body as their bytes pass. */
export interface MessageSink {
  /** A message of so many bytes begins. */
  begin(length: number): void;
  push(bytes: Uint8Array, start: number, end: number): void;
  /** All its bytes have passed. */
  end(): void;
}

/**
 * Finds the messages in a gRPC body that comes in pieces, cut at any byte. Compressed messages are passed over.
 *
 * @param joins False to look at the first message of each piece alone, as the stock EPP does.
 */
export class GrpcFrames {
  readonly #sink: MessageSink;
  readonly #joins: boolean;
  readonly #header = new DataView(new ArrayBuffer(FRAME_HEADER_BYTES));
  #headerLength = 0;
  #left = 0;
  #isCompressed = false;

  constructor(sink: MessageSink, joins: boolean) {
    this.#sink = sink;
    this.#joins = joins;
  }

  push(chunk: Uint8Array): void {
    if (!this.#joins) this.#headerLength = 0;
    let p = 0;
    while (p < chunk.length) {
      if (this.#headerLength < FRAME_HEADER_BYTES) {
        this.#header.setUint8(this.#headerLength++, chunk[p++]);
        if (this.#headerLength === FRAME_HEADER_BYTES) this.#begin();
      } else {
        const end = Math.min(chunk.length, p + this.#left);
        if (!this.#isCompressed) this.#sink.push(chunk, p, end);
        this.#left -= end - p;
        p = end;
      }
      if (this.#headerLength < FRAME_HEADER_BYTES || this.#left > 0) continue;
      if (!this.#isCompressed) this.#sink.end();
      this.#headerLength = 0;
      if (!this.#joins) return;
    }
  }

  #begin(): void {
    this.#isCompressed = this.#header.getUint8(0) === COMPRESSED;
    this.#left = this.#header.getUint32(1);
    if (!this.#isCompressed) this.#sink.begin(this.#left);
  }
}

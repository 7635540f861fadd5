import { once } from "node:events";
import { connect, type Socket } from "node:net";

/**
 * An HTTP/2 client of bare frames, for what well-behaved clients never send: a call, its messages and its reset in one
 * packet. Reads nothing but keeps the connection's windows open.
 */
export class RawHttp2 {
  readonly #socket: Socket;
  #nextStream = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async connect(port: number): Promise<RawHttp2> {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.on("error", () => undefined);
    socket.resume();
    const window = Buffer.alloc(4);
    window.writeUInt32BE(2 ** 30);
    socket.write(
      Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0), frame(8, 0, 0, window)]),
    );
    return new RawHttp2(socket);
  }

  /** Opens a gRPC call, sends messages on it and resets it (CANCEL), all in one write. */
  callAndReset(path: string, messages: readonly Uint8Array[]): void {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    const fields = [
      [":method", "POST"],
      [":scheme", "http"],
      [":path", path],
      [":authority", "test"],
      ["content-type", "application/grpc"],
      ["te", "trailers"],
    ];
    const head = Buffer.concat(fields.flatMap((field) => [Buffer.from([0]), ...field.map(literal)]));
    const data = messages.map((message) => {
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(message.length, 1);
      return frame(0, 0, stream, Buffer.concat([prefix, message]));
    });
    this.#socket.write(
      Buffer.concat([frame(1, 4, stream, head), ...data, frame(3, 0, stream, Buffer.from([0, 0, 0, 8]))]),
    );
  }

  close(): void {
    this.#socket.destroy();
  }
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const literal = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);

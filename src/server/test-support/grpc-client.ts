import { type ChannelCredentials, Client, credentials, type ClientDuplexStream, Metadata } from "@grpc/grpc-js";

/** A gRPC client of bytes: any method, messages as they are on the wire. */
export interface BytesClient {
  /** Opens a call. */
  open(path: string, options?: { readonly gzip?: boolean }): BytesCall;
  close(): void;
}

export interface BytesCall {
  readonly call: ClientDuplexStream<Buffer, Buffer>;
  readonly received: Buffer[];
  /** Resolves when a message more than now is there. */
  next(): Promise<Buffer>;
  /** Resolves with the call's status. */
  readonly status: Promise<{ readonly code: number; readonly details: string }>;
}

const same = (bytes: Buffer): Buffer => bytes;

export function connectBytes(port: number, channel: ChannelCredentials = credentials.createInsecure()): BytesClient {
  const client = new Client(`127.0.0.1:${port}`, channel, {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
  });
  return {
    open(path, { gzip = false } = {}) {
      const metadata = new Metadata();
      if (gzip) metadata.set("grpc-encoding", "gzip");
      const call = client.makeBidiStreamRequest(path, same, same, metadata);
      const received: Buffer[] = [];
      let seen = 0;
      call.on("data", (bytes: Buffer) => received.push(bytes));
      call.on("error", () => undefined);
      const status = new Promise<{ code: number; details: string }>((resolve) => call.once("status", resolve));
      return {
        call,
        received,
        status,
        async next() {
          while (received.length <= seen) {
            await new Promise((resolve) => {
              call.once("data", resolve);
              call.once("status", resolve);
            });
            if (received.length <= seen && call.destroyed) throw new Error("the call ended without another message");
          }
          return received[seen++];
        },
      };
    },
    close: () => client.close(),
  };
}

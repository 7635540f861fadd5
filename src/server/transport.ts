import type { StreamStatus } from "../protocol/machine-options.ts";
import type { TlsSource } from "./tls.ts";

/** One gRPC call as bytes: whatever its method is declared as, messages go both ways until one side ends. */
export interface ServerStream {
  /**
   * Sends one message, given in parts. `flushed` is called once it has left the process's buffers; never when the
   * stream breaks off before. After the end it does nothing.
   */
  send(parts: readonly Uint8Array[], flushed?: () => void): void;
  /** Ends the call after what was sent. A second end does nothing. */
  end(status: StreamStatus): void;
}

/** How a call was over: ended by us, or broken off by the other side (reset, lost connection). */
type StreamClosed = "ended" | "reset";

/** What happens to a call, in this order; nothing comes after `onClosed`. */
export interface StreamEvents {
  /** The next message. Its bytes may be kept, and are not written to any more. */
  onMessage(message: Uint8Array): void;
  /** The other side sends no more. The call still has to be ended. */
  onHalfClose(): void;
  /** The call is over. Called exactly once. */
  onClosed(how: StreamClosed): void;
}

/** Serves the calls of one method. */
export type StreamHandler = (stream: ServerStream) => StreamEvents;

/** Handlers by path, `/package.Service/Method`. Other paths are answered UNIMPLEMENTED. */
export type Methods = ReadonlyMap<string, StreamHandler>;

export interface TransportOptions {
  /** Address to listen on; undefined for all, of IPv6 and IPv4. */
  readonly host: string | undefined;
  /** 0 takes a free one. */
  readonly port: number;
  /** Undefined for h2c, plain text. */
  readonly tls: TlsSource | undefined;
  /** Largest message that is taken, in bytes; a larger one ends its call with RESOURCE_EXHAUSTED. */
  readonly receiveBytesMax: number;
  /** Largest message that is sent, in bytes; likewise. */
  readonly sendBytesMax: number;
  /** Most calls at once on one connection; the other side waits, or opens another connection. */
  readonly streamsPerConnectionMax: number;
}

/** A listening gRPC server. */
export interface Transport {
  readonly port: number;
  /**
   * Takes no more calls (GOAWAY) and lets the running ones end for at most `graceMs`; then breaks them off.
   */
  stop(graceMs: number): Promise<void>;
}

/** Starts a transport: resolves when it listens. */
export type StartTransport = (methods: Methods, options: TransportOptions) => Promise<Transport>;

import {
  experimental,
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { raiseResetLimits, countResets } from "./reset-limits.ts";
import type { TlsSource } from "./tls.ts";
import type { Methods, ServerStream, StreamHandler, Transport, TransportOptions } from "./transport.ts";

type Call = ServerDuplexStream<Buffer, readonly Uint8Array[]>;

/**
 * The reference transport, on @grpc/grpc-js: h2c or TLS, takes gzip. It hands messages on as bytes and knows nothing of
 * their content.
 */
export async function startGrpcJsTransport(methods: Methods, options: TransportOptions): Promise<Transport> {
  // What goes wrong is thrown; grpc-js would write lines of its own besides.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server({
    "grpc.max_receive_message_length": options.receiveBytesMax,
    "grpc.max_send_message_length": options.sendBytesMax,
    "grpc.max_concurrent_streams": options.streamsPerConnectionMax,
    "grpc.enable_channelz": 0,
  });
  raiseResetLimits(server);
  for (const [service, handlers] of servicesOf(methods)) server.addService(definitionOf(service, handlers), handlers);
  const { host, port } = await listen(server, options);
  countResets(server);
  return { port, stop: (graceMs) => stop(server, `${host}:${port}`, graceMs) };
}

/** Calls by service and method. */
function servicesOf(methods: Methods): ReadonlyMap<string, UntypedServiceImplementation> {
  const services = new Map<string, UntypedServiceImplementation>();
  for (const [path, handler] of methods) {
    const [, service, method] = path.split("/");
    const handlers = services.get(service) ?? {};
    handlers[method] = (call: Call) => serve(call, handler);
    services.set(service, handlers);
  }
  return services;
}

/** Every method as a stream of bytes both ways: on the wire a unary call is one of a single message. */
const definitionOf = (service: string, handlers: UntypedServiceImplementation) =>
  Object.fromEntries(
    Object.keys(handlers).map((method) => [
      method,
      {
        path: `/${service}/${method}`,
        requestStream: true as const,
        responseStream: true as const,
        requestSerialize: (bytes: Buffer) => bytes,
        requestDeserialize: (bytes: Buffer) => bytes,
        responseSerialize: (parts: readonly Uint8Array[]) => bufferOf(parts),
        responseDeserialize: (bytes: Buffer): readonly Uint8Array[] => [bytes],
      },
    ]),
  );

function bufferOf(parts: readonly Uint8Array[]): Buffer {
  if (parts.length !== 1) return Buffer.concat(parts);
  const [{ buffer, byteOffset, byteLength }] = parts;
  return Buffer.from(buffer, byteOffset, byteLength);
}

function serve(call: Call, handler: StreamHandler): void {
  let ended = false;
  let closed = false;
  const stream: ServerStream = {
    send(parts, flushed) {
      if (ended || closed) return;
      call.write(parts, (error?: Error | null) => {
        if (!error && !closed) flushed?.();
      });
    },
    end(status) {
      if (ended || closed) return;
      ended = true;
      if (status.code === 0) call.end();
      // What was sent goes out first, then the status.
      else call.emit("error", Object.assign(new Error(status.details), status));
    },
  };
  const events = handler(stream);
  call.on("data", (message: Buffer) => {
    if (!ended && !closed) events.onMessage(message);
  });
  call.on("end", () => {
    if (!closed) events.onHalfClose();
  });
  // Comes exactly once for every call, however it ends.
  call.once("cancelled", () => {
    closed = true;
    events.onClosed(ended ? "ended" : "reset");
  });
}

async function listen(server: Server, options: TransportOptions): Promise<{ host: string; port: number }> {
  const credentials = options.tls ? tlsCredentials(options.tls) : ServerCredentials.createInsecure();
  const hosts = options.host === undefined ? ["[::]", "0.0.0.0"] : [bracketed(options.host)];
  let cause: unknown;
  for (const host of hosts) {
    try {
      return { host, port: await bind(server, `${host}:${options.port}`, credentials) };
    } catch (error) {
      cause ??= error;
    }
  }
  server.forceShutdown();
  const why = cause instanceof Error ? cause.message : String(cause);
  throw new Error(`Cannot listen for gRPC on port ${options.port}: ${why}`, { cause });
}

const bind = (server: Server, address: string, credentials: ServerCredentials): Promise<number> =>
  new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });

const bracketed = (host: string): string => (host.includes(":") && !host.startsWith("[") ? `[${host}]` : host);

/** Credentials that follow their source: connections made after a change get the new pair. */
function tlsCredentials(source: TlsSource): ServerCredentials {
  type Listener = Parameters<experimental.CertificateProvider["addIdentityCertificateListener"]>[0];
  const listeners = new Map<Listener, () => void>();
  const tell = (listener: Listener): void => {
    const { cert, key } = source.current();
    listener({ certificate: cert, privateKey: key });
  };
  const provider: experimental.CertificateProvider = {
    addCaCertificateListener: () => undefined,
    removeCaCertificateListener: () => undefined,
    addIdentityCertificateListener(listener) {
      listeners.set(
        listener,
        source.onChange(() => tell(listener)),
      );
      // Not at once: grpc-js only listens once this call has returned.
      process.nextTick(() => listeners.has(listener) && tell(listener));
    },
    removeIdentityCertificateListener(listener) {
      listeners.get(listener)?.();
      listeners.delete(listener);
    },
  };
  return experimental.createCertificateProviderServerCredentials(provider, null, false);
}

/** Resolves when all connections are closed. */
async function stop(server: Server, address: string, graceMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    // In this order: drain forgets connections that are closing already.
    server.drain(address, graceMs);
    server.tryShutdown(() => resolve());
  });
}

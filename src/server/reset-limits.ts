import type { Server } from "@grpc/grpc-js";
import type { Http2Server, ServerOptions } from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { CountedConnection } from "./counted-connection.ts";

/**
 * Envoy ends every ext_proc stream with RST_STREAM. Node's HTTP/2 takes many of them for an attack: after 1000, and 33
 * more each second, it refuses all further streams of the connection, and the requests on them are lost. Node 24 has
 * options for this limit, and they are raised. Node 20 has none: there a connection is asked to be replaced before it
 * gets that far, in a way that loses nothing.
 */
const RESETS_PER_SECOND_MAX = 1_000_000;
/** Frames that make no sense, over a connection's life: those that cross a stream's end are among them. */
const INVALID_FRAMES_MAX = 2 ** 31 - 1;
/** Resets after which a connection is to be replaced: less than Node's 1000, for the streams that still run. */
const RESETS_PER_CONNECTION = 500;
/** The first major version with the options that was tried. */
const NODE_WITH_OPTIONS = 24;

/** What grpc-js has no public way to; each use checks that it is there. */
interface GrpcJsInsides {
  readonly commonServerOptions?: ServerOptions & { streamResetBurst?: number; streamResetRate?: number };
  readonly http2Servers?: ReadonlyMap<Http2Server, unknown>;
}

const hasOptions = Number(process.versions.node.split(".")[0]) >= NODE_WITH_OPTIONS;

/** Raises the limits of a grpc-js server that does not listen yet. */
export function raiseResetLimits(server: Server): void {
  const { commonServerOptions } = server as unknown as GrpcJsInsides;
  if (!commonServerOptions)
    throw new Error("Cannot raise the limits of HTTP/2: grpc-js keeps its options elsewhere now");
  commonServerOptions.streamResetBurst = RESETS_PER_SECOND_MAX;
  commonServerOptions.streamResetRate = RESETS_PER_SECOND_MAX;
  commonServerOptions.maxSessionInvalidFrames = INVALID_FRAMES_MAX;
}

/** Has connections of a grpc-js server that listens replaced in time, where Node has no options for it. */
export function countResets(server: Server): void {
  if (hasOptions) return;
  const { http2Servers } = server as unknown as GrpcJsInsides;
  if (!http2Servers?.size) throw new Error("Cannot count resets: grpc-js keeps its HTTP/2 servers elsewhere now");
  for (const http2Server of http2Servers.keys()) {
    for (const event of ["connection", "secureConnection"]) {
      for (const listener of http2Server.listeners(event)) {
        // The raw connections of a TLS server are its own: only the decrypted ones carry frames.
        if (event === "connection" && http2Server.listenerCount("secureConnection") > 0) continue;
        http2Server.off(event, listener as () => void);
        http2Server.on(event, (socket: Socket) => {
          const isHttp2 = !(socket instanceof TLSSocket) || socket.alpnProtocol === "h2";
          listener.call(http2Server, isHttp2 ? new CountedConnection(socket, RESETS_PER_CONNECTION) : socket);
        });
      }
    }
  }
}

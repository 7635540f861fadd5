import { type DecodeError, ProtoReader, WIRE } from "../core/proto-reader.ts";
import { ProtoWriter } from "../protocol/proto-writer.ts";
import type { Methods, ServerStream, StreamEvents, StreamHandler } from "./transport.ts";

/** Status of a service, by gRPC's numbers. */
export const SERVING_STATUS = { serving: 1, notServing: 2, serviceUnknown: 3 } as const;
type ServingStatus = (typeof SERVING_STATUS)[keyof typeof SERVING_STATUS];

/** What is asked for health. */
export interface HealthSource {
  /** Status of a service of any name; "" is the server as a whole. */
  statusOf(service: string): ServingStatus;
  /** Services that List names. */
  readonly listed: readonly string[];
}

const SERVICE = "/grpc.health.v1.Health";
const GRPC = { ok: 0, invalidArgument: 3, unimplemented: 12 } as const;
const OK = { code: GRPC.ok, details: "" };
const IGNORED: StreamEvents = {
  onMessage: () => undefined,
  onHalfClose: () => undefined,
  onClosed: () => undefined,
};

/** gRPC's health service (`proto/grpc/health/v1`), to be served on any transport. Watch is not implemented, as stock. */
export function healthMethods(source: HealthSource): Methods {
  return new Map<string, StreamHandler>([
    [`${SERVICE}/Check`, unary((request) => statusMessage(source.statusOf(serviceOf(request))))],
    [`${SERVICE}/List`, unary(() => listMessage(source))],
    [
      `${SERVICE}/Watch`,
      (stream) => {
        stream.end({ code: GRPC.unimplemented, details: "Watch is not implemented" });
        return IGNORED;
      },
    ],
  ]);
}

/** A call of one message each way. */
const unary =
  (answer: (request: Uint8Array) => Uint8Array): StreamHandler =>
  (stream: ServerStream) => ({
    ...IGNORED,
    onMessage(request) {
      try {
        stream.send([answer(request)]);
        stream.end(OK);
      } catch (error) {
        const { message } = error as DecodeError;
        stream.end({ code: GRPC.invalidArgument, details: `Cannot read HealthCheckRequest: ${message}` });
      }
    },
    onHalfClose: () => stream.end({ code: GRPC.invalidArgument, details: "Cannot answer a call without a message" }),
  });

function serviceOf(request: Uint8Array): string {
  const reader = new ProtoReader(request);
  let service = "";
  while (reader.next()) {
    if (reader.field === 1 && reader.wire === WIRE.bytes) service = reader.text();
    else reader.skip();
  }
  return service;
}

function statusMessage(status: ServingStatus): Uint8Array {
  const writer = new ProtoWriter();
  writer.reset();
  writer.number(1, status);
  return writer.take();
}

function listMessage(source: HealthSource): Uint8Array {
  const writer = new ProtoWriter();
  writer.reset();
  for (const service of source.listed) {
    const entry = writer.mark();
    writer.number(1, source.statusOf(service));
    writer.close(2, entry);
    writer.text(1, service);
    writer.close(1, entry);
  }
  return writer.take();
}

import type {
  CommonAnswer,
  DynamicMetadata,
  HeaderField,
  ImmediateAnswer,
  IncomingMessage,
  OutgoingMessage,
  ProtocolConfig,
  StreamMetadata,
} from "./messages.ts";
import { ProtoReader, WIRE } from "../core/proto-reader.ts";
import { ProtoWriter } from "./proto-writer.ts";
import { metadataView, writeStruct } from "./struct-codec.ts";

/** What one message may carry of headers. */
export interface HeaderLimits {
  /** Header lines of one message. */
  readonly headersMax: number;
  /** Bytes of keys and values of one message. */
  readonly headerBytesMax: number;
}

/** Fields of ProcessingRequest's oneof. */
const REQUEST_KINDS = [
  undefined,
  undefined,
  "requestHeaders",
  "responseHeaders",
  "requestBody",
  "responseBody",
  "requestTrailers",
  "responseTrailers",
] as const;
/** Fields of ProcessingResponse's oneof. */
const RESPONSE_FIELDS = {
  requestHeaders: 1,
  responseHeaders: 2,
  requestBody: 3,
  responseBody: 4,
  requestTrailers: 5,
  responseTrailers: 6,
  immediate: 7,
} as const;
const NO_BYTES: Uint8Array = new Uint8Array(0);

/**
 * Reads a ProcessingRequest. Bodies, header values and metadata are views over `bytes`; fields may come in any order,
 * unknown ones are passed over, of a repeated singular field the last counts. Headers over the limits are left out and
 * the message says so.
 *
 * @throws DecodeError when the bytes are no such message
 */
export function decodeRequest(bytes: Uint8Array, limits: HeaderLimits): IncomingMessage {
  const reader = new ProtoReader(bytes);
  let kind: (typeof REQUEST_KINDS)[number];
  let part: ProtoReader | undefined;
  let metadata: StreamMetadata | undefined;
  let protocolConfig: ProtocolConfig | undefined;
  while (reader.next()) {
    const { field } = reader;
    if (reader.wire !== WIRE.bytes) reader.skip();
    else if (field >= 2 && field <= 7) {
      kind = REQUEST_KINDS[field];
      part = reader.message();
    } else if (field === 8) {
      const span = reader.bytes();
      metadata = metadataView(() => new ProtoReader(span));
    } else if (field === 11) protocolConfig = readProtocolConfig(reader.message());
    else reader.skip();
  }
  if (kind === undefined || part === undefined) return { kind: "unknown", metadata, protocolConfig };
  switch (kind) {
    case "requestHeaders":
    case "responseHeaders":
      return { kind, ...readHeaders(part, limits), metadata, protocolConfig };
    case "requestBody":
    case "responseBody":
      return { kind, ...readBody(part), metadata, protocolConfig };
    default:
      part.check();
      return { kind, metadata, protocolConfig };
  }
}

function readProtocolConfig(reader: ProtoReader): ProtocolConfig {
  let requestBodyMode = 0;
  let responseBodyMode = 0;
  while (reader.next()) {
    if (reader.field === 1 && reader.wire === WIRE.varint) requestBodyMode = reader.varint();
    else if (reader.field === 2 && reader.wire === WIRE.varint) responseBodyMode = reader.varint();
    else reader.skip();
  }
  return { requestBodyMode, responseBodyMode };
}

function readBody(reader: ProtoReader): { body: Uint8Array; endOfStream: boolean } {
  let body = NO_BYTES;
  let endOfStream = false;
  while (reader.next()) {
    if (reader.field === 1 && reader.wire === WIRE.bytes) body = reader.bytes();
    else if (reader.field === 2 && reader.wire === WIRE.varint) endOfStream = reader.bool();
    else reader.skip();
  }
  return { body, endOfStream };
}

interface Headers {
  headers: readonly HeaderField[];
  overLimit: string | undefined;
  endOfStream: boolean;
}

function readHeaders(reader: ProtoReader, limits: HeaderLimits): Headers {
  let map: ProtoReader | undefined;
  let endOfStream = false;
  while (reader.next()) {
    if (reader.field === 1 && reader.wire === WIRE.bytes) map = reader.message();
    else if (reader.field === 3 && reader.wire === WIRE.varint) endOfStream = reader.bool();
    else reader.skip();
  }
  return { ...readHeaderMap(map, limits), endOfStream };
}

function readHeaderMap(map: ProtoReader | undefined, limits: HeaderLimits): Omit<Headers, "endOfStream"> {
  const headers: HeaderField[] = [];
  let bytesSeen = 0;
  while (map?.next()) {
    if (map.field !== 1 || map.wire !== WIRE.bytes) {
      map.skip();
      continue;
    }
    if (headers.length === limits.headersMax) {
      return { headers, overLimit: `more than ${limits.headersMax} headers` };
    }
    const header = readHeader(map.message());
    bytesSeen += header.key.length + header.value.length;
    if (bytesSeen > limits.headerBytesMax) {
      return { headers, overLimit: `more than ${limits.headerBytesMax} bytes of headers` };
    }
    headers.push(header);
  }
  return { headers, overLimit: undefined };
}

function readHeader(reader: ProtoReader): HeaderField {
  let key = "";
  let value = NO_BYTES;
  let raw = NO_BYTES;
  while (reader.next()) {
    if (reader.wire !== WIRE.bytes) reader.skip();
    else if (reader.field === 1) key = reader.text();
    else if (reader.field === 2) value = reader.bytes();
    else if (reader.field === 3) raw = reader.bytes();
    else reader.skip();
  }
  return { key, value: raw.length > 0 ? raw : value };
}

/**
 * Makes an encoder of ProcessingResponses. It gives each message as parts to be sent in a row: the first is new, a
 * second one is the body itself, not copied.
 */
export function createResponseEncoder(): (message: OutgoingMessage) => readonly Uint8Array[] {
  const writer = new ProtoWriter();
  return (message) => {
    writer.reset();
    if (message.kind === "immediate") writeImmediate(writer, message);
    else if ("setHeaders" in message) return writeCommon(writer, message);
    else {
      writer.close(RESPONSE_FIELDS[message.kind], writer.mark());
      writeMetadata(writer, message.dynamicMetadata);
    }
    return [writer.take()];
  };
}

function writeCommon(writer: ProtoWriter, message: CommonAnswer): readonly Uint8Array[] {
  const { body } = message;
  // The body is the last field of the last field ..., so that it can stay outside of the writer.
  if (body) {
    writer.tail(body.body.length);
    if (body.kind === "whole" || body.body.length > 0) writer.close(1, 0);
    if (body.kind === "streamed") {
      if (body.endOfStream) writer.number(2, 1);
      writer.close(3, 0);
    }
    writer.close(3, 0);
  }
  if (message.clearRouteCache) writer.number(5, 1);
  writeHeaderMutation(writer, 2, message.setHeaders, message.removeHeaders);
  writer.close(1, 0);
  writer.close(RESPONSE_FIELDS[message.kind], 0);
  writeMetadata(writer, message.dynamicMetadata);
  return body && body.body.length > 0 ? [writer.take(), body.body] : [writer.take()];
}

function writeMetadata(writer: ProtoWriter, metadata: DynamicMetadata | undefined): void {
  if (!metadata) return;
  const mark = writer.mark();
  writeStruct(writer, metadata);
  writer.close(8, mark);
}

function writeImmediate(writer: ProtoWriter, message: ImmediateAnswer): void {
  if (message.body.length > 0) writer.bytes(3, message.body);
  writeHeaderMutation(writer, 2, message.setHeaders, []);
  const mark = writer.mark();
  writer.number(1, message.status);
  writer.close(1, mark);
  writer.close(RESPONSE_FIELDS.immediate, 0);
}

function writeHeaderMutation(
  writer: ProtoWriter,
  field: number,
  setHeaders: readonly HeaderField[],
  removeHeaders: readonly string[],
): void {
  if (setHeaders.length === 0 && removeHeaders.length === 0) return;
  const mark = writer.mark();
  for (let i = removeHeaders.length - 1; i >= 0; i--) writer.text(2, removeHeaders[i]);
  for (let i = setHeaders.length - 1; i >= 0; i--) {
    const { key, value } = setHeaders[i];
    const option = writer.mark();
    if (value.length > 0) writer.bytes(3, value);
    writer.text(1, key);
    writer.close(1, option);
    writer.close(1, option);
  }
  writer.close(field, mark);
}

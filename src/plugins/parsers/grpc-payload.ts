/** Bytes before each message of a gRPC body: whether it is compressed, and its length. */
export const FRAME_HEADER_BYTES = 5;
/** First byte of a compressed message. */
export const COMPRESSED = 1;

/** The first message of a gRPC body (what follows it is passed over, as stock does), or why there is none. */
export function grpcPayload(body: Uint8Array): Uint8Array | string {
  if (body.length < FRAME_HEADER_BYTES) {
    return `invalid gRPC frame: expected at least ${FRAME_HEADER_BYTES} bytes for header, got ${body.length}`;
  }
  if (body[0] === COMPRESSED) return "compressed gRPC payload is not supported";
  const length = new DataView(body.buffer, body.byteOffset).getUint32(1);
  const available = body.length - FRAME_HEADER_BYTES;
  if (length > available) {
    return `incomplete gRPC payload: header indicates ${length} bytes, but only ${available} bytes are available`;
  }
  return body.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + length);
}

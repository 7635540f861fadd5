import { joined } from "./byte-collector.ts";

/** Most bytes of body in one streamed answer (the stock EPP's BodyByteLimit). */
export const CHUNK_BYTES_MAX = 62_000;

/**
 * Cuts a body, given as parts, into chunks of CHUNK_BYTES_MAX bytes, the last one shorter; an empty body is one empty
 * chunk. A chunk within one part is a view; only one that spans parts is copied.
 */
export function chunksOf(parts: readonly Uint8Array[]): readonly Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let open: Uint8Array[] = [];
  let openBytes = 0;
  for (const part of parts) {
    let from = 0;
    while (from < part.length) {
      const size = Math.min(part.length - from, CHUNK_BYTES_MAX - openBytes);
      open.push(part.subarray(from, from + size));
      openBytes += size;
      from += size;
      if (openBytes === CHUNK_BYTES_MAX) {
        chunks.push(joined(open));
        open = [];
        openBytes = 0;
      }
    }
  }
  if (openBytes > 0 || chunks.length === 0) chunks.push(joined(open));
  return chunks;
}

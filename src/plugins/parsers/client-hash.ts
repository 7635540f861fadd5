import { xxh64 } from "../../core/xxh64.ts";
import { textOf } from "../../core/text.ts";
import { hexOf } from "./prompt-writer.ts";

/** Most bytes of a client's own hash. */
const HASH_BYTES_MAX = 128;
const LOOKS_LIKE_HASH = /^[\w+/=-]*$/;

const hashed = new Uint32Array(2);

/** A client's own hash of a medium as it is; what does not look like one is no more than hashed. */
export function clientHash(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= HASH_BYTES_MAX) {
    const text = textOf(bytes, start, end);
    if (LOOKS_LIKE_HASH.test(text)) return text;
  }
  xxh64(bytes, start, end, hashed, 0);
  return hexOf(hashed);
}

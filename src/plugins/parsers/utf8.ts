/** True when a range of bytes is well-formed UTF-8. */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let p = start;
  while (p < end) {
    if (bytes[p] < 0x80) {
      p++;
      continue;
    }
    const length = utf8Length(bytes, p, end);
    if (length === 0) return false;
    p += length;
  }
  return true;
}

/** Length of the well-formed UTF-8 sequence of a byte over 0x7f (Unicode 3.9, table 3-7); 0 when it is none. */
export function utf8Length(bytes: Uint8Array, p: number, end: number): number {
  const c = bytes[p];
  if (c < 0xc2 || c > 0xf4) return 0;
  if (p + 1 >= end) return 0;
  const second = bytes[p + 1];
  if (c < 0xe0) return (second & 0xc0) === 0x80 ? 2 : 0;
  const low = c === 0xe0 ? 0xa0 : c === 0xf0 ? 0x90 : 0x80;
  const high = c === 0xed ? 0x9f : c === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  if (p + 2 >= end || (bytes[p + 2] & 0xc0) !== 0x80) return 0;
  if (c < 0xf0) return 3;
  return p + 3 < end && (bytes[p + 3] & 0xc0) === 0x80 ? 4 : 0;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
/** Up to this many bytes a loop is cheaper than a call of the decoder. */
const LOOP_BYTES_MAX = 48;

/** UTF-8 bytes to text; what is not UTF-8 becomes U+FFFD. Meant for short spans: names, paths, header values. */
export function textOf(bytes: Uint8Array, start = 0, end = bytes.length): string {
  if (end - start <= LOOP_BYTES_MAX) {
    let text = "";
    for (let i = start; i < end; i++) {
      const byte = bytes[i];
      if (byte >= 0x80) return decoder.decode(bytes.subarray(start, end));
      text += String.fromCharCode(byte);
    }
    return text;
  }
  return decoder.decode(bytes.subarray(start, end));
}

/** Text to UTF-8 bytes. */
export const bytesOf = (text: string): Uint8Array => encoder.encode(text);

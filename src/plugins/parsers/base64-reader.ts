const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const VALUES = new Uint8Array(256).fill(255);
for (let i = 0; i < ALPHABET.length; i++) VALUES[ALPHABET.charCodeAt(i)] = i;

/**
 * Decodes padded standard base64 byte by byte, as far as a header needs; line breaks are passed over, as Go's decoder
 * does. `failed` is set by a foreign character, a cut group, or reading on at the end.
 */
export class Base64Reader {
  failed = false;
  readonly #text: Uint8Array;
  readonly #end: number;
  #at: number;
  #group = 0;
  #left = 0;

  constructor(text: Uint8Array, start: number, end: number) {
    this.#text = text;
    this.#at = start;
    this.#end = end;
  }

  /** The next byte; 0 after a failure. */
  next(): number {
    if (this.#left === 0) this.#decodeGroup();
    if (this.failed) return 0;
    this.#left--;
    return (this.#group >> (8 * this.#left)) & 0xff;
  }

  skip(bytes: number): void {
    for (let i = 0; i < bytes && !this.failed; i++) this.next();
  }

  /** Reads `length` bytes; true when they begin with these (one a character). */
  expect(text: string, length = text.length): boolean {
    let isEqual = true;
    for (let i = 0; i < length && !this.failed; i++) {
      const byte = this.next();
      if (i < text.length && byte !== text.charCodeAt(i)) isEqual = false;
    }
    return isEqual && !this.failed;
  }

  #decodeGroup(): void {
    let group = 0;
    let sextets = 0;
    let padding = 0;
    while (sextets + padding < 4) {
      const c = this.#at < this.#end ? this.#text[this.#at++] : -1;
      if (c === 0x0a || c === 0x0d) continue;
      if (c === 0x3d && sextets >= 2) {
        padding++;
      } else if (c >= 0 && padding === 0 && VALUES[c] !== 255) {
        group = (group << 6) | VALUES[c];
        sextets++;
      } else {
        this.failed = true;
        return;
      }
    }
    this.#left = sextets - 1;
    this.#group = group >> (padding * 2);
  }
}

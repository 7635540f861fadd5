/** Copies up to this go byte by byte: making a view costs more. */
const LOOPED_BYTES_MAX = 40;

/** Bytes that grow at their end. */
export class ByteSink {
  bytes: Uint8Array;
  length = 0;
  #view: DataView | undefined;

  /** @param capacityBytes How many bytes fit before the first growth. */
  constructor(capacityBytes: number) {
    this.bytes = new Uint8Array(capacityBytes);
  }

  /** The memory as words; valid until the next growth. */
  get view(): DataView {
    return (this.#view ??= new DataView(this.bytes.buffer));
  }

  /** Empties it; gives memory over `bytesKeptMax` back. */
  clear(bytesKeptMax: number): void {
    this.length = 0;
    if (this.bytes.length > bytesKeptMax) this.#resize(256);
  }

  /** Makes room for `bytes` more. */
  reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed > this.bytes.length) this.#resize(Math.max(needed, this.bytes.length * 2));
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  copy(source: Uint8Array, start: number, end: number): void {
    this.reserve(end - start);
    if (end - start > LOOPED_BYTES_MAX) {
      this.bytes.set(source.subarray(start, end), this.length);
      this.length += end - start;
    } else {
      for (let p = start; p < end; p++) this.bytes[this.length++] = source[p];
    }
  }

  /** Appends text of plain ASCII. */
  ascii(text: string): void {
    this.reserve(text.length);
    for (let i = 0; i < text.length; i++) this.bytes[this.length++] = text.charCodeAt(i);
  }

  /** Appends zeros up to a multiple of four bytes; returns how many. */
  align(): number {
    const padding = -this.length & 3;
    this.reserve(padding);
    for (let i = 0; i < padding; i++) this.bytes[this.length++] = 0;
    return padding;
  }

  /** Appends `count` copies of a little-endian uint32. */
  words(value: number, count: number): void {
    this.reserve(4 * count);
    const start = this.length;
    const end = start + 4 * count;
    if (count > 0) this.view.setUint32(start, value, true);
    for (let filled = 4; filled < end - start; filled *= 2) {
      this.bytes.copyWithin(start + filled, start, Math.min(start + filled, end - filled));
    }
    this.length = end;
  }

  /** What was written: a view. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  #resize(capacityBytes: number): void {
    const bytes = new Uint8Array(capacityBytes);
    bytes.set(this.bytes.subarray(0, this.length));
    this.bytes = bytes;
    this.#view = undefined;
  }
}

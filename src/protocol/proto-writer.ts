import { bytesOf } from "../core/text.ts";
import { WIRE } from "../core/proto-reader.ts";

const FIRST_BYTES = 4096;

/**
 * Writes a protobuf message from its end to its beginning: a nested message is complete before its length is written,
 * so nothing is measured twice. Fields therefore come out in the opposite order of the calls.
 *
 * A body can stay outside: `tail(n)` says that n bytes follow behind everything that is written; it has to be called
 * first.
 */
export class ProtoWriter {
  #buffer = new Uint8Array(FIRST_BYTES);
  #at = FIRST_BYTES;
  #tailBytes = 0;

  /** Starts a new message. */
  reset(): void {
    this.#at = this.#buffer.length;
    this.#tailBytes = 0;
  }

  tail(bytes: number): void {
    this.#tailBytes = bytes;
  }

  /** Bytes written so far, the tail included: taken before a nested message and given to `close`. */
  mark(): number {
    return this.#buffer.length - this.#at + this.#tailBytes;
  }

  /** Makes everything since `mark` the content of a length-delimited field. */
  close(field: number, mark: number): void {
    this.#varint(this.mark() - mark);
    this.#varint((field << 3) | WIRE.bytes);
  }

  bytes(field: number, bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#at -= bytes.length;
    this.#buffer.set(bytes, this.#at);
    this.#varint(bytes.length);
    this.#varint((field << 3) | WIRE.bytes);
  }

  text(field: number, text: string): void {
    const { length } = text;
    this.#room(length);
    const buffer = this.#buffer;
    const start = this.#at - length;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) {
        this.bytes(field, bytesOf(text));
        return;
      }
      buffer[start + i] = code;
    }
    this.#at = start;
    this.#varint(length);
    this.#varint((field << 3) | WIRE.bytes);
  }

  /** An unsigned number below 2^32, or a bool or enum as one. */
  number(field: number, value: number): void {
    this.#varint(value);
    this.#varint((field << 3) | WIRE.varint);
  }

  /** An unsigned whole number below 2^64, as exact as a double is. */
  integer(field: number, value: number): void {
    this.#room(10);
    let size = 1;
    for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) size++;
    const start = this.#at - size;
    let rest = value;
    for (let i = 0; i < size - 1; i++) {
      this.#buffer[start + i] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[start + size - 1] = rest;
    this.#at = start;
    this.#varint((field << 3) | WIRE.varint);
  }

  double(field: number, value: number): void {
    this.#room(8);
    this.#at -= 8;
    new DataView(this.#buffer.buffer, this.#at, 8).setFloat64(0, value, true);
    this.#varint((field << 3) | WIRE.fixed64);
  }

  /** The message, less its tail; a copy. */
  take(): Uint8Array {
    return this.#buffer.slice(this.#at);
  }

  #varint(value: number): void {
    this.#room(5);
    let size = 1;
    for (let rest = value >>> 7; rest !== 0; rest >>>= 7) size++;
    const start = this.#at - size;
    let rest = value;
    for (let i = 0; i < size - 1; i++) {
      this.#buffer[start + i] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#buffer[start + size - 1] = rest;
    this.#at = start;
  }

  #room(bytes: number): void {
    if (this.#at >= bytes) return;
    const used = this.#buffer.length - this.#at;
    const grown = new Uint8Array(Math.max(2 * this.#buffer.length, used + bytes));
    grown.set(this.#buffer.subarray(this.#at), grown.length - used);
    this.#buffer = grown;
    this.#at = grown.length - used;
  }
}

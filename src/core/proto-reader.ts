import { textOf } from "./text.ts";

/** Bytes that are no protobuf message of the expected kind. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}

/** Protobuf wire types that are read. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const;

const GROUP_DEPTH_MAX = 32;

/**
 * Walks the fields of a protobuf message in a span of bytes, without copying. Every read is checked against the span's
 * end.
 *
 * @example
 * while (reader.next()) {
 *   if (reader.field === 1 && reader.wire === WIRE.bytes) use(reader.bytes());
 *   else reader.skip();
 * }
 */
export class ProtoReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  /** Number of the current field. */
  field = 0;
  /** Wire type of the current field. */
  wire = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Moves to the next field; false at the end. Each field has to be read or skipped. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.#narrow();
    this.field = tag >>> 3;
    this.wire = tag & 7;
    if (this.field === 0) throw new DecodeError(`field number 0 at byte ${this.#at}`);
    return true;
  }

  /** True when all of the span is read. */
  get atEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** The low 32 bits of a varint, unsigned. */
  varint(): number {
    const bytes = this.#bytes;
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#end) throw new DecodeError("a number is cut off");
      const byte = bytes[this.#at++];
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (shift === 63) this.#checkLast(byte);
        return value >>> 0;
      }
    }
    throw new DecodeError(`a number of more than 10 bytes at byte ${this.#at}`);
  }

  /** True when any bit of a varint is set. */
  bool(): boolean {
    let any = false;
    for (let count = 0; count < 10; count++) {
      if (this.#at >= this.#end) throw new DecodeError("a number is cut off");
      const byte = this.#bytes[this.#at++];
      any ||= (byte & 0x7f) !== 0;
      if (byte < 0x80) {
        if (count === 9) this.#checkLast(byte);
        return any;
      }
    }
    throw new DecodeError(`a number of more than 10 bytes at byte ${this.#at}`);
  }

  double(): number {
    const at = this.#take(8);
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at, 8).getFloat64(0, true);
  }

  /** A view of a length-delimited field. */
  bytes(): Uint8Array {
    const length = this.#narrow();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  text(): string {
    const length = this.#narrow();
    const at = this.#take(length);
    return textOf(this.#bytes, at, at + length);
  }

  /** A reader over a length-delimited field. */
  message(): ProtoReader {
    const length = this.#narrow();
    const at = this.#take(length);
    return new ProtoReader(this.#bytes, at, at + length);
  }

  /** Passes over the current field, known or not. */
  skip(depth = 0): void {
    switch (this.wire) {
      case WIRE.varint:
        this.bool();
        return;
      case WIRE.fixed64:
        this.#take(8);
        return;
      case WIRE.bytes:
        this.#take(this.#narrow());
        return;
      case WIRE.fixed32:
        this.#take(4);
        return;
      case WIRE.startGroup:
        this.#skipGroup(depth);
        return;
      default:
        throw new DecodeError(`wire type ${this.wire} of field ${this.field} at byte ${this.#at}`);
    }
  }

  /** Passes over all that is left: throws when it is malformed. */
  check(): void {
    while (this.next()) this.skip();
  }

  /** The tenth byte of a number holds its last bit alone. */
  #checkLast(byte: number): void {
    if (byte > 1) throw new DecodeError(`a number of more than 64 bits at byte ${this.#at}`);
  }

  /** A number of at most 32 bits: a tag or a length. One of more bits is not cut off, or it would mean something else. */
  #narrow(): number {
    const from = this.#at;
    const value = this.varint();
    for (let at = from + 4, mask = 0x70; at < this.#at; at++, mask = 0x7f) {
      if ((this.#bytes[at] & mask) !== 0) throw new DecodeError(`a tag or length of more than 32 bits at byte ${from}`);
    }
    return value;
  }

  #skipGroup(depth: number): void {
    const opened = this.field;
    if (depth >= GROUP_DEPTH_MAX) throw new DecodeError(`groups nested deeper than ${GROUP_DEPTH_MAX}`);
    while (this.next()) {
      if (this.wire !== WIRE.endGroup) {
        this.skip(depth + 1);
        continue;
      }
      if (this.field !== opened) throw new DecodeError(`group ${opened} closed as ${this.field}`);
      return;
    }
    throw new DecodeError(`group ${opened} is cut off`);
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) {
      throw new DecodeError(`field ${this.field} wants ${length} bytes, ${this.#end - at} are left`);
    }
    this.#at = at + length;
    return at;
  }
}

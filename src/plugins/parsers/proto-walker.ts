import { WIRE } from "../../core/proto-reader.ts";

/** What becomes of the bytes of a length-delimited field: walked as a message, handed over, or passed over. */
export type FieldUse = "enter" | "read" | "pass";

export interface FieldVisitor {
  /** A length-delimited field begins. `depth`: 0 for fields of the message itself. */
  open(depth: number, field: number): FieldUse;
  /** A varint's low 32 bits. */
  varint(depth: number, field: number, value: number): void;
  /** Bytes of a field that is read, in pieces. */
  read?(bytes: Uint8Array, start: number, end: number): void;
}

/** Messages within messages that are entered. */
const DEPTH_MAX = 4;
const VARINT_BITS_MAX = 70;
const TAG = 0;
const VALUE = 1;
const LENGTH = 2;

/** Walks a protobuf message while its bytes pass in pieces of any size; keeps no more than where it is. */
export class ProtoWalker {
  readonly #visitor: FieldVisitor;
  /** Ends of the message and of those that it is in, as offsets in the outermost. */
  readonly #ends = new Float64Array(DEPTH_MAX);
  #depth = 0;
  #at = 0;
  /** What the next varint is. */
  #expects = TAG;
  #field = 0;
  #value = 0;
  #shift = 0;
  /** True when the varint has more bits than it may: 32 of a tag or a length, 64 of another. */
  #isWide = false;
  /** Bytes of the current field that pass without being looked at. */
  #spanLeft = 0;
  #isRead = false;
  #isBroken = false;

  constructor(visitor: FieldVisitor) {
    this.#visitor = visitor;
  }

  /** Begins with another message. */
  begin(length: number): void {
    this.#ends[0] = length;
    this.#depth = 0;
    this.#at = 0;
    this.#expects = TAG;
    this.#value = 0;
    this.#shift = 0;
    this.#isWide = false;
    this.#spanLeft = 0;
    this.#isBroken = false;
  }

  /** True when the message has ended with its last field. Groups are taken for malformed. */
  get isWhole(): boolean {
    const isBetween = this.#expects === TAG && this.#shift === 0 && this.#spanLeft === 0;
    return !this.#isBroken && isBetween && this.#depth === 0 && this.#at === this.#ends[0];
  }

  push(bytes: Uint8Array, start: number, end: number): void {
    let p = start;
    while (p < end && !this.#isBroken) {
      if (this.#spanLeft === 0) {
        this.#passByte(bytes[p++]);
        continue;
      }
      const length = Math.min(this.#spanLeft, end - p);
      if (this.#isRead) this.#visitor.read?.(bytes, p, p + length);
      p += length;
      this.#at += length;
      this.#spanLeft -= length;
      if (this.#spanLeft === 0) this.#leave();
    }
  }

  #passByte(byte: number): void {
    if (this.#at++ >= this.#ends[this.#depth]) {
      this.#isBroken = true;
      return;
    }
    if (this.#shift < 32) this.#value |= (byte & 0x7f) << this.#shift;
    if (this.#shift >= 28 && (byte & (this.#shift === 28 ? 0x70 : 0x7f)) !== 0) this.#isWide = this.#expects !== VALUE;
    this.#shift += 7;
    if (byte >= 0x80) {
      this.#isBroken = this.#shift >= VARINT_BITS_MAX;
      return;
    }
    // The tenth byte holds the last bit alone.
    if (this.#shift === VARINT_BITS_MAX && byte > 1) this.#isWide = true;
    const value = this.#value >>> 0;
    this.#value = 0;
    this.#shift = 0;
    if (this.#isWide) this.#isBroken = true;
    else if (this.#expects === TAG) this.#begin(value >>> 3, value & 7);
    else if (this.#expects === LENGTH) this.#open(value);
    else {
      this.#visitor.varint(this.#depth, this.#field, value);
      this.#leave();
    }
  }

  #begin(field: number, wire: number): void {
    this.#field = field;
    if (field === 0) this.#isBroken = true;
    else if (wire === WIRE.varint) this.#expects = VALUE;
    else if (wire === WIRE.bytes) this.#expects = LENGTH;
    else if (wire === WIRE.fixed64) this.#span(8, false);
    else if (wire === WIRE.fixed32) this.#span(4, false);
    else this.#isBroken = true;
  }

  #open(length: number): void {
    const use = this.#visitor.open(this.#depth, this.#field);
    if (use !== "enter") {
      this.#span(length, use === "read");
      return;
    }
    const end = this.#at + length;
    if (end > this.#ends[this.#depth] || this.#depth + 1 === DEPTH_MAX) {
      this.#isBroken = true;
      return;
    }
    this.#ends[++this.#depth] = end;
    this.#leave();
  }

  #span(length: number, isRead: boolean): void {
    this.#isBroken = this.#at + length > this.#ends[this.#depth];
    this.#spanLeft = length;
    this.#isRead = isRead;
    if (length === 0) this.#leave();
  }

  /** A field has ended, and with it the messages that end there. */
  #leave(): void {
    this.#expects = TAG;
    while (this.#depth > 0 && this.#at === this.#ends[this.#depth]) this.#depth--;
  }
}

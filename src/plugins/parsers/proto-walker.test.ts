import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProtoReader, WIRE } from "../../core/proto-reader.ts";
import { ProtoWalker } from "./proto-walker.ts";

type Seen = (readonly [depth: number, field: number, value: number] | string)[];

/** Fields 1 are entered, fields 2 read, others passed over. */
const useOf = (field: number) => (field === 1 ? "enter" : field === 2 ? "read" : "pass");

/** What the walker tells of a message that comes in pieces; undefined when it is not whole. */
function walked(bytes: Uint8Array, cuts: readonly number[]): Seen | undefined {
  const seen: Seen = [];
  const walker = new ProtoWalker({
    open: (_, field) => useOf(field),
    varint: (depth, field, value) => seen.push([depth, field, value]),
    read: (from, start, end) => seen.push(Buffer.from(from.subarray(start, end)).toString("hex")),
  });
  walker.begin(bytes.length);
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  for (let i = 1; i < at.length; i++) walker.push(bytes, at[i - 1], at[i]);
  return walker.isWhole ? joined(seen) : undefined;
}

/** The same by the reader that wants all bytes at once. */
function readWhole(reader: ProtoReader, depth = 0, seen: Seen = []): Seen {
  if (depth > 3) throw new Error("not walked");
  while (reader.next()) {
    const { field, wire } = reader;
    if (wire === WIRE.startGroup || wire === WIRE.endGroup) throw new Error("not walked");
    if (wire === WIRE.varint) seen.push([depth, field, reader.varint()]);
    else if (wire !== WIRE.bytes || useOf(field) === "pass") reader.skip();
    else if (field === 1) readWhole(reader.message(), depth + 1, seen);
    else seen.push(Buffer.from(reader.bytes()).toString("hex"));
  }
  return seen;
}

/** Pieces of read bytes that follow each other, as one. */
function joined(seen: Seen): Seen {
  const whole: Seen = [];
  for (const item of seen) {
    const before = whole.at(-1);
    if (typeof item === "string" && typeof before === "string") whole[whole.length - 1] = before + item;
    else whole.push(item);
  }
  return whole.filter((item) => item !== "");
}

function attempt(bytes: Uint8Array): Seen | undefined {
  try {
    return joined(readWhole(new ProtoReader(bytes)));
  } catch {
    return undefined;
  }
}

/** Numbers of many bytes, some of more bits than they may have. */
const WIDE: readonly (readonly number[])[] = [
  [0x9a, 0x80, 0x80, 0x80, 0, 1, 0x61],
  [0x9a, 0x80, 0x80, 0x80, 0x10, 1, 0x61],
  [0x9a, 0x80, 0x80, 0x80, 0x80, 1, 1, 0x61],
  [0x12, 0x81, 0x80, 0x80, 0x80, 0x80, 0, 0x61],
  [0x12, 0x81, 0x80, 0x80, 0x80, 0x10, 0x61],
  [0x18, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
  [0x18, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2],
];

/** Messages that are mostly well-formed: tags of low fields with what they announce. */
const message = fc.letrec<{ fields: Uint8Array; field: Uint8Array }>((tie) => ({
  fields: fc.array(tie("field"), { maxLength: 4 }).map((parts) => Buffer.concat(parts)),
  field: fc.oneof(
    { maxDepth: 3 },
    fc.tuple(fc.integer({ min: 1, max: 3 }), fc.nat(255)).map(([field, value]) => Buffer.of(field << 3, value & 127)),
    fc.nat(2 ** 14 - 1).map((value) => Buffer.of(3 << 3, 0x80 | (value & 127), value >> 7)),
    fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.concat([Buffer.of((4 << 3) | 1), bytes])),
    fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => Buffer.concat([Buffer.of((4 << 3) | 5), bytes])),
    fc.constantFrom(...WIDE).map((bytes) => Uint8Array.from(bytes)),
    fc
      .tuple(fc.integer({ min: 1, max: 3 }), tie("fields"))
      .map(([field, inner]) => Buffer.concat([Buffer.of((field << 3) | 2, inner.length & 127), inner])),
  ),
})).fields;

describe("ProtoWalker", () => {
  it("sees what the reader of whole messages sees, wherever the bytes are cut", () => {
    let whole = 0;
    fc.assert(
      fc.property(message, fc.array(fc.nat()), (bytes, cuts) => {
        const expected = attempt(bytes);
        if (expected && expected.length > 0) whole++;
        expect(walked(bytes, cuts)).toEqual(expected);
      }),
    );
    expect(whole).toBeGreaterThan(10);
  });

  it("sees it in any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(fc.nat()), (bytes, cuts) => {
        expect(walked(bytes, cuts)).toEqual(attempt(bytes));
      }),
    );
  });

  it("takes numbers of many bytes, and none of more bits than they may have", () => {
    expect(WIDE.map((bytes) => walked(Uint8Array.from(bytes), [3]) !== undefined)).toEqual([
      true,
      false,
      false,
      true,
      false,
      true,
      false,
    ]);
  });

  it("begins anew after a malformed message", () => {
    const seen: number[] = [];
    const walker = new ProtoWalker({ open: () => "pass", varint: (_, __, value) => seen.push(value) });
    walker.begin(2);
    walker.push(Uint8Array.of(7, 7), 0, 2);
    expect(walker.isWhole).toBe(false);
    walker.begin(2);
    walker.push(Uint8Array.of(0x08, 5), 0, 2);
    expect([walker.isWhole, seen]).toEqual([true, [5]]);
  });
});

import { expect, it } from "vitest";
import { DecodeError, ProtoReader } from "./proto-reader.ts";

it("a nested message can't be read beyond its own end, though more bytes follow", () => {
  // Field 1, 3 bytes: field 2 that claims 5 bytes. Then 4 bytes of the outer message.
  const bytes = Uint8Array.of(0x0a, 3, 0x12, 5, 0x41, 0x1a, 2, 0x42, 0x43);
  for (const read of ["bytes", "text", "message", "skip"] as const) {
    const outer = new ProtoReader(bytes);
    expect(outer.next()).toBe(true);
    const inner = outer.message();
    expect(inner.next()).toBe(true);
    expect(() => inner[read](), read).toThrow(DecodeError);
    expect([outer.next(), outer.field, outer.text()]).toEqual([true, 3, "BC"]);
  }
});

it.each<readonly [string, readonly ("varint" | "bool" | "bytes" | "text" | "message" | "skip")[], readonly number[]]>([
  ["a length of 2^32 + 1", ["bytes", "text", "message", "skip"], [0x1a, 0x81, 0x80, 0x80, 0x80, 0x10, 0x61]],
  ["a tag of more than 32 bits", ["skip"], [0x9a, 0x80, 0x80, 0x80, 0x10, 1, 0x61]],
  ["a tag of six bytes", ["skip"], [0x9a, 0x80, 0x80, 0x80, 0x80, 1, 1, 0x61]],
  ["a number of more than 64 bits", ["varint", "bool", "skip"], [0x28, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2]],
])("%s is malformed, as in Go", (_, reads, bytes) => {
  for (const read of reads) {
    const reader = new ProtoReader(Uint8Array.from(bytes));
    expect(() => reader.next() && reader[read]()).toThrow(DecodeError);
  }
});

it("lengths and tags padded with zeros are read, and negative numbers by their low 32 bits", () => {
  const reader = new ProtoReader(
    Uint8Array.of(
      0x9a,
      0x80,
      0x80,
      0x80,
      0x80,
      0,
      0x81,
      0x80,
      0x80,
      0x80,
      0x80,
      0,
      0x61,
      0x28,
      255,
      255,
      255,
      255,
      255,
      255,
      255,
      255,
      255,
      1,
    ),
  );
  expect([reader.next(), reader.field, reader.text()]).toEqual([true, 3, "a"]);
  expect([reader.next(), reader.field, reader.varint(), reader.atEnd]).toEqual([true, 5, 0xffffffff, true]);
});

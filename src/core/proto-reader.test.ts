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

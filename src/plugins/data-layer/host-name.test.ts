import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isHost, isIpv4 } from "./host-name.ts";

describe("hosts", () => {
  it.each([
    "10.0.0.1",
    "::1",
    "::",
    "fe80::1:2",
    "1:2:3:4:5:6:7:8",
    "::ffff:10.0.0.1",
    "gw.cluster-a.example.com",
    "gateway",
    "3com.example.com",
    "12345",
    "a".repeat(253),
  ])("%s is one", (text) => expect(isHost(text)).toBe(true));

  it.each([
    "",
    "gw.example.com.",
    "GW.example.com",
    "gw_1.example.com",
    "gw:443",
    "gw\0.example.com",
    "user@host",
    "-bad.example.com",
    "bad-.example.com",
    "gw..example.com",
    "a b",
    "1:2:3:4:5:6:7",
    "1::2::3",
    "12345::",
    "fe80::1%eth0",
    "[::1]",
    "::10.0.0.256",
    "a".repeat(254),
  ])("%j is none", (text) => expect(isHost(text)).toBe(false));

  it("agree with Node on addresses", () => {
    const part = fc.oneof(fc.constantFrom("", "0", "::", ":", "1", "ffff", "g", "255", "256", "1.2.3.4", "01", "."));
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.array(part, { maxLength: 12 }).map((parts) => parts.join("")),
    );
    const colons = fc.array(part, { maxLength: 9 }).map((parts) => parts.join(":"));
    fc.assert(
      fc.property(fc.oneof(text, colons), (address) => {
        expect(isIpv4(address)).toBe(isIPv4(address));
        if (address.includes(":")) expect(isHost(address)).toBe(isIPv6(address));
      }),
      { numRuns: 3000 },
    );
  });
});

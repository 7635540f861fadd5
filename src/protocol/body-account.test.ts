import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BodyAccount, type BodyShare } from "./body-account.ts";

describe("BodyAccount", () => {
  it("refuses a request's bytes that cross the limit and takes nothing then", () => {
    const account = new BodyAccount(100);
    const [a, b] = [account.open(), account.open()];
    expect(a.take(60)).toBe(true);
    expect(b.take(41)).toBe(false);
    expect(account.bytes).toBe(60);
    expect(b.take(40)).toBe(true);
    a.close();
    expect(account.bytes).toBe(40);
  });

  it("lets answers flow when it is full, but not pile up", () => {
    const account = new BodyAccount(100);
    const share = account.open();
    expect(share.takeFlowing(262_144)).toBe(true);
    expect(share.takeFlowing(1)).toBe(false);
    share.give(262_144);
    expect(share.takeFlowing(1)).toBe(true);
  });

  it("counts nothing for a share that is closed", () => {
    const account = new BodyAccount(100);
    const share = account.open();
    share.close();
    share.hold(10);
    share.take(10);
    share.takeFlowing(10);
    expect(account.bytes).toBe(0);
  });

  it("is at zero once all streams are closed, whatever they did", () => {
    const step = fc.record({
      stream: fc.nat(3),
      do: fc.constantFrom("take", "hold", "flow", "give", "close"),
      n: fc.nat(400),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const account = new BodyAccount(1000);
        const shares: BodyShare[] = Array.from({ length: 4 }, () => account.open());
        for (const { stream, do: what, n } of steps) {
          const share = shares[stream];
          if (what === "take") share.take(n);
          else if (what === "hold") share.hold(n);
          else if (what === "flow") share.takeFlowing(n);
          else if (what === "give") share.give(n);
          else share.close();
          expect(account.bytes).toBe(shares.reduce((sum, { bytes }) => sum + bytes, 0));
        }
        for (const share of shares) share.close();
        expect(account.bytes).toBe(0);
      }),
    );
  });
});

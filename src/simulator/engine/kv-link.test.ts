import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KvLink } from "./kv-link.ts";

describe("the link of a pod", () => {
  it("takes latency and bytes over bandwidth for a transfer", () => {
    const link = new KvLink({ bytesPerSecond: 1_000_000_000, latencyUs: 500 });
    expect(link.take(100, 3_000_000)).toBe(100 + 3000 + 500);
  });

  it("carries transfers one after another, and is free again when they are through", () => {
    const link = new KvLink({ bytesPerSecond: 1_000_000, latencyUs: 10 });
    expect([link.take(0, 100), link.take(20, 100), link.take(1000, 100)]).toEqual([110, 210, 1110]);
  });

  it("never carries more than its bandwidth, however transfers come", () => {
    const transfers = fc.array(fc.record({ gapUs: fc.nat(1000), bytes: fc.nat(100_000) }), { minLength: 1 });
    fc.assert(
      fc.property(transfers, fc.integer({ min: 1, max: 1_000_000_000 }), (list, bytesPerSecond) => {
        const link = new KvLink({ bytesPerSecond, latencyUs: 0 });
        let nowUs = 0;
        let endUs = 0;
        let bytes = 0;
        for (const transfer of list) {
          nowUs += transfer.gapUs;
          bytes += transfer.bytes;
          const ownUs = (transfer.bytes * 1e6) / bytesPerSecond;
          const next = link.take(nowUs, transfer.bytes);
          expect(next).toBeGreaterThanOrEqual(Math.max(endUs, nowUs + Math.floor(ownUs)));
          endUs = next;
        }
        expect(endUs).toBeGreaterThanOrEqual(Math.floor((bytes * 1e6) / bytesPerSecond));
      }),
    );
  });
});

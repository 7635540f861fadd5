import { describe, expect, it } from "vitest";
import type { ExchangeMeter } from "../protocol/exchange-meter.ts";
import { guardedMeters } from "./guarded-meters.ts";
import { brokenMeter } from "./test-support/broken-meter.ts";

const METHODS: readonly ((meter: ExchangeMeter) => unknown)[] = [
  (meter) => meter.requestHeaders?.(new Map(), "r"),
  (meter) => meter.requestComplete(),
  (meter) => meter.traceHeaders?.(),
  (meter) => meter.routed({} as never, 1),
  (meter) => meter.refused("Internal", { model: "", targetModel: "", fairnessId: "", priority: 0 }),
  (meter) => meter.responseHeaders(true, 200),
  (meter) => meter.modelServerError(),
  (meter) => meter.responseBody(1),
  (meter) => meter.responseHandled(),
  (meter) => meter.responseComplete(undefined),
  (meter) => meter.closed(),
];

describe("guardedMeters", () => {
  it("tells what a meter throws at each word, and throws nothing itself", () => {
    const failures: unknown[] = [];
    const meter = guardedMeters(
      () => [brokenMeter()],
      (error) => failures.push(error),
    )!;
    const answers = METHODS.map((call) => call(meter));
    expect(failures.map(String)).toEqual(METHODS.map(() => "Error: a broken meter"));
    expect(answers.filter((answer) => answer !== undefined)).toEqual([[]]);
  });

  it("tells every meter, also where one before it throws, and tells what each threw", () => {
    const heard: string[] = [];
    const failures: unknown[] = [];
    const given = [{ key: "traceparent", value: new Uint8Array(1) }];
    const good = {
      ...brokenMeter(),
      closed: () => heard.push("closed"),
      responseBody: () => heard.push("body"),
      traceHeaders: () => given,
    };
    const meter = guardedMeters(
      () => [brokenMeter(), good, brokenMeter(), good],
      (error) => failures.push(error),
    )!;
    meter.responseBody(7);
    meter.closed();
    expect(heard).toEqual(["body", "body", "closed", "closed"]);
    expect(failures).toHaveLength(4);
    expect(meter.traceHeaders?.()).toBe(given);
  });

  it("measures nothing with a meter that cannot be opened", () => {
    const failures: unknown[] = [];
    const open = () => {
      throw new Error("no meter");
    };
    expect(guardedMeters(open, (error) => failures.push(error))).toBeUndefined();
    expect(failures.map(String)).toEqual(["Error: no meter"]);
    expect(guardedMeters(undefined, () => expect.unreachable())).toBeUndefined();
  });
});

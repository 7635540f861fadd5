import { expect, it } from "vitest";
import { brokenMeter } from "../server/test-support/broken-meter.ts";
import { joinedMeters } from "./joined-meters.ts";

it("tells every meter, also where one before it throws, and throws that on", () => {
  const heard: string[] = [];
  const good = { ...brokenMeter(), closed: () => heard.push("closed"), responseBody: () => heard.push("body") };
  const meter = joinedMeters([brokenMeter(), good, brokenMeter(), good]);
  expect(() => meter.responseBody(7)).toThrow("a broken meter");
  expect(() => meter.closed()).toThrow("a broken meter");
  expect(heard).toEqual(["body", "body", "closed", "closed"]);
});

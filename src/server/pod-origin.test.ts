import { describe, expect, it } from "vitest";
import { podOrigin } from "./pod-origin.ts";

describe("a target's origin", () => {
  it.each([
    ["10.0.0.1:8000", "http://10.0.0.1:8000"],
    ["[fd00::1]:8000", "http://[fd00::1]:8000"],
    ["fd00::1:8000", "http://[fd00::1]:8000"],
    ["pod.example:80", "http://pod.example:80"],
  ])("of %s is %s", (target, origin) => {
    expect(podOrigin(target)).toBe(origin);
    expect(new URL(origin).port || "80").toBe(target.slice(target.lastIndexOf(":") + 1));
  });
});

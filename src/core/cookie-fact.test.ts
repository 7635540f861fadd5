import { describe, expect, it } from "vitest";
import { cookieFact, cookieFactName } from "./cookie-fact.ts";

const COOKIES = 'a=1; sid="x=y" ; b=2; A=3; quoted=x"y';
const fact = (name: string, cookies: string | undefined = COOKIES) => cookieFact(cookieFactName(name), cookies);
/** What a cookie of its own with this value comes to. */
const ofValue = (value: string) => fact("only", `only=${value}`);

describe("the fact of a cookie", () => {
  it.each([
    ["a", "1"],
    ["A", "3"],
    ["sid", "x=y"],
    ["b", "2"],
    ["quoted", 'x"y'],
  ])("of %s stands for its value, without quotes around it", (name, value) => {
    expect(fact(name)).toBe(ofValue(value));
    expect(fact(name)).toMatch(/^[0-9a-f]{16}$/);
  });

  it("is XXH64 of the value, so that no cookie gets into a record", () => {
    expect(ofValue("a")).toBe("d24ec4f1a98c6e5b");
  });

  it("is none without the cookie, with an empty one, or for another header", () => {
    expect(fact("c")).toBeUndefined();
    expect(fact("a", "a=")).toBeUndefined();
    expect(cookieFact(cookieFactName("a"), undefined)).toBeUndefined();
    expect(cookieFact("x-session-id", COOKIES)).toBeUndefined();
  });
});

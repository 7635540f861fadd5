import { expect, it } from "vitest";
import { seldom } from "./seldom.ts";

it("tells a message once, other ones as well, and forgets the oldest of too many", () => {
  const told: string[] = [];
  const tell = seldom((message) => told.push(message));
  for (const message of ["a", "a", "b", "a"]) tell(message);
  expect(told).toEqual(["a", "b"]);
  for (let i = 0; i < 256; i++) tell(String(i));
  tell("a");
  expect(told.at(-1)).toBe("a");
});

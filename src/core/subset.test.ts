import { expect, it } from "vitest";
import { Endpoints } from "./endpoints.ts";
import { subsetSlots } from "./subset.ts";
import { endpoint } from "./test-support/test-plan.ts";

const endpoints = new Endpoints();
for (const [i, address] of ["10.0.0.1", "10.0.0.2", "fe80::1", "2001:db8::2"].entries()) {
  endpoints.add(endpoint(`pod-${i}`, address));
}

const table: [string, readonly string[] | undefined, number[]][] = [
  ["no hint is all", undefined, [0, 1, 2, 3]],
  ["an empty one is none", [], []],
  ["addresses with or without a port, in the pool's order", ["10.0.0.2", "10.0.0.1:9"], [0, 1]],
  ["unknown and broken ones count for nothing", ["10.0.0.9:1", "", ":", "x"], []],
  ["an IPv6 address in brackets matches none, as stock", ["[fe80::1]:8000", "[2001:db8::2]"], []],
  ["one without a port loses its last group, as stock", ["fe80::1"], []],
  ["one whose port follows without brackets matches, as stock", ["fe80::1:8000"], [2]],
];
it.each(table)("a subset hint: %s", (_what, hint, slots) => {
  expect([...subsetSlots(endpoints, hint)]).toEqual(slots);
});

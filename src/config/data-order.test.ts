import { describe, expect, it } from "vitest";
import { z } from "zod";
import { dataKey } from "../core/data-key.ts";
import type { PluginDefinition } from "../core/plugin.ts";
import { readDocument } from "./config-document.ts";
import { ProblemList } from "./config-error.ts";
import { createProducers, orderProducers } from "./data-order.ts";
import { PluginTable } from "./plugin-entry.ts";

/** A table with producers that give a kind of data of their name and require, or want, those of others. */
function tableOf(producers: Readonly<Record<string, { requires?: readonly string[]; wants?: readonly string[] }>>) {
  const problems = new ProblemList();
  const document = readDocument("plugins: []", problems)!;
  const table = new PluginTable(document, problems, false);
  const key = (name: string) => dataKey<unknown>("Test", name);
  for (const [name, { requires = [], wants = [] }] of Object.entries(producers)) {
    const definition: PluginDefinition = {
      type: "test-producer",
      points: ["producer"],
      params: z.unknown(),
      data: () => ({ produces: [key(name)], requires: requires.map(key), wants: wants.map(key) }),
      create: () => ({}),
    };
    table.entries.push({ name, definition, params: {}, path: undefined });
  }
  const order = orderProducers(document, table, problems)?.map(({ name }) => name);
  return { order, told: problems.problems, creates: createProducers(document, table, problems) };
}

describe("the order of producers", () => {
  it("puts required data first, then wanted data", () => {
    expect(tableOf({ a: { requires: ["b"], wants: ["c"] }, b: {}, c: {} }).order).toEqual(["b", "c", "a"]);
  });

  it("lets wanted data go where it would make a circle", () => {
    expect(tableOf({ a: { wants: ["b"] }, b: { requires: ["a"] } }).order).toEqual(["a", "b"]);
  });

  it("refuses producers that require each other's data, by name", () => {
    const { order, told } = tableOf({ a: { requires: ["b"] }, b: { requires: ["c"] }, c: { requires: ["a"] }, d: {} });
    expect(order).toBeUndefined();
    expect(told).toMatchObject([
      {
        place: { line: 1, column: 10 },
        path: "plugins",
        text: "found producers that require each other's data (a, b, c), expected an order among them",
      },
    ]);
  });

  it("refuses a producer that requires its own data only where that makes a circle with another", () => {
    expect(tableOf({ a: { requires: ["a"] } }).order).toEqual(["a"]);
  });

  it("has no default producer of unknown data", () => {
    expect(tableOf({ a: { requires: ["nobody"] } }).creates).toBe(false);
  });
});

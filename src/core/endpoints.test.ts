import { describe, expect, it } from "vitest";
import { dataKey } from "./data-key.ts";
import { Endpoints, ENDPOINTS_MAX, NEVER } from "./endpoints.ts";

const endpoint = {
  id: "default/a",
  namespace: "default",
  name: "a",
  address: "10.0.0.1",
  port: 8000,
  metricsHost: "10.0.0.1:8000",
  labels: {},
};

describe("endpoints table", () => {
  it("takes 16,384 endpoints, refuses one more, and takes it once another has gone", () => {
    const table = new Endpoints();
    const named = (name: string) => ({ ...endpoint, id: `default/${name}`, name });
    for (let i = 0; i < ENDPOINTS_MAX; i++) expect(table.add(named(`${i}`))).toBe(i);
    expect(table.add(named("more"))).toBe(-1);
    expect([table.size, table.slotOf("default/more")]).toEqual([ENDPOINTS_MAX, -1]);
    table.remove(7);
    expect([table.size, table.add(named("more"))]).toEqual([ENDPOINTS_MAX - 1, 7]);
    expect(table.generation[7]).toBe(2);
  });

  it("keeps a column's numbers as it grows, and has none for an endpoint that has not got one", () => {
    const table = new Endpoints();
    const column = table.column("x");
    for (let i = 0; i < 20; i++) {
      const slot = table.add({ ...endpoint, id: `default/${i}` });
      expect(column.values[slot]).toBe(Number.NaN);
      column.values[slot] = i;
    }
    expect([...column.values.subarray(0, 20)]).toEqual(Array.from({ length: 20 }, (_, i) => i));
    table.remove(3);
    expect(column.values[table.add({ ...endpoint, id: "default/new" })]).toBe(Number.NaN);
    expect(table.column("x")).toBe(column);
  });

  it("keeps attributes that are no numbers by slot, and gives none to the next endpoint of it", () => {
    const table = new Endpoints();
    const key = dataKey<readonly string[]>("models", "x");
    const slot = table.add(endpoint);
    const row = { slot, generation: 1, values: { [key.id]: ["m"] }, aside: true } as const;
    expect(table.scraped(row, 5)).toBe(true);
    const { values } = table.attribute(key);
    expect([values[slot], table.valueOf(key.id, slot), table.updatedAtUs[slot]]).toEqual([["m"], ["m"], NEVER]);
    expect(table.valueOf("other/x", slot)).toBeUndefined();
    table.remove(slot);
    table.add({ ...endpoint, id: "default/next" });
    expect(values[slot]).toBeUndefined();
    expect(table.scraped(row, 6)).toBe(false);
    expect(values[slot]).toBeUndefined();
  });

  it("lists its slots in the order in which their endpoints came, in a list that nothing changes later", () => {
    const table = new Endpoints();
    for (const name of ["a", "b", "c"]) table.add({ ...endpoint, id: name });
    const before = table.slots();
    expect(table.slots()).toBe(before);
    table.remove(0);
    table.add({ ...endpoint, id: "d" });
    table.describe(1, { ...endpoint, id: "b", labels: { x: "y" } });
    expect([...table.slots()]).toEqual([1, 2, 0]);
    expect([...before]).toEqual([0, 1, 2]);
  });

  it("keeps the LoRA limit that a page last told", () => {
    const table = new Endpoints();
    const slot = table.add(endpoint);
    const scrape = (max: number, active: string[]) => {
      table.scraped({ slot, generation: table.generation[slot], lora: { active, waiting: [], max } }, 1);
      return table.lora[slot];
    };
    expect(scrape(-1, ["x"])).toEqual({ active: ["x"], waiting: [], max: 0 });
    expect(scrape(4, ["y"])).toEqual({ active: ["y"], waiting: [], max: 4 });
    expect(scrape(-1, [])).toEqual({ active: [], waiting: [], max: 4 });
  });
});

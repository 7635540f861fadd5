import { describe, expect, it } from "vitest";
import { Endpoints } from "./endpoints.ts";

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

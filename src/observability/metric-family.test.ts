import fc from "fast-check";
import { Counter, Histogram, Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { MetricFamily, ROWS_MAX } from "./metric-family.ts";

const labels = ["model_name", "priority"];
const buckets = [0.1, 1, 10];

describe("a metric family", () => {
  it("writes a histogram as prom-client does, whatever the values and the labels", async () => {
    const observation = fc.record({
      model: fc.constantFrom("", "m", 'quote " and \\ back\nslash', "ü"),
      value: fc.oneof(fc.constantFrom(0, 0.1, 1, 10, 10.000001, -1), fc.double({ noNaN: true, min: -1e6, max: 1e6 })),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(observation, { minLength: 1, maxLength: 30 }), async (observations) => {
        const registry = new Registry();
        const family = new MetricFamily({ name: "h", help: "Help.", type: "histogram", labels, buckets }, registry);
        const theirs = new Registry();
        const oracle = new Histogram({ name: "h", help: "Help.", labelNames: labels, buckets, registers: [theirs] });
        for (const { model, value } of observations) {
          family.row(model, "0").observe(value);
          oracle.observe({ model_name: model, priority: "0" }, value);
        }
        expect(sorted(await registry.metrics())).toEqual(sorted(await theirs.metrics()));
      }),
    );
  });

  it("tells labels in the order of their names, le among them, as stock", async () => {
    const registry = new Registry();
    const spec = {
      name: "h",
      help: "",
      type: "histogram",
      labels: ["model_name", "fairness_id"],
      buckets: [1],
    } as const;
    new MetricFamily(spec, registry).row("m", "f").observe(1);
    const lines = (await registry.metrics()).split("\n").filter((line) => line.startsWith("h"));
    expect(lines).toEqual([
      'h_bucket{fairness_id="f",le="1",model_name="m"} 1',
      'h_bucket{fairness_id="f",le="+Inf",model_name="m"} 1',
      'h_sum{fairness_id="f",model_name="m"} 1',
      'h_count{fairness_id="f",model_name="m"} 1',
    ]);
  });

  it("writes a counter as prom-client does", async () => {
    const registry = new Registry();
    const family = new MetricFamily({ name: "c_total", help: "Help.", type: "counter", labels }, registry);
    const theirs = new Registry();
    const oracle = new Counter({ name: "c_total", help: "Help.", labelNames: labels, registers: [theirs] });
    for (const [model, by] of [
      ["a", 1],
      ["b", 2.5],
      ["a", 3],
    ] as const) {
      family.row(model, "1").add(by);
      oracle.inc({ model_name: model, priority: "1" }, by);
    }
    expect(await registry.metrics()).toBe(await theirs.metrics());
  });

  it("lets others have the event loop between families that are full", async () => {
    const registry = new Registry();
    for (const name of ["a", "b", "c"]) {
      const family = new MetricFamily({ name, help: "", type: "histogram", labels, buckets }, registry);
      for (let i = 0; i < ROWS_MAX; i++) family.row(`m${i}`, "0").observe(i);
    }
    let turns = 0;
    let isWritten = false;
    const count = (): void => {
      if (isWritten) return;
      turns++;
      setImmediate(count);
    };
    setImmediate(count);
    const page = await registry.metrics();
    isWritten = true;
    expect(turns).toBeGreaterThanOrEqual(3);
    expect(page.match(/^a_bucket/gm)).toHaveLength(ROWS_MAX * 4);
  });

  it("is on the page from its first row on", async () => {
    const registry = new Registry();
    const family = new MetricFamily({ name: "g", help: "Help.", type: "gauge", labels: [] }, registry);
    expect(await registry.metrics()).toBe("\n");
    family.row().set(4);
    expect(await registry.metrics()).toContain("# TYPE g gauge\ng 4\n");
  });

  it("leaves out what is no number", () => {
    const family = new MetricFamily({ name: "h", help: "", type: "histogram", labels: [], buckets }, new Registry());
    family.row().observe(Number.NaN);
    expect(family.row()).toMatchObject({ counts: new Float64Array(4), value: 0 });
  });

  it(`has at most ${ROWS_MAX} rows and one of \`other\` for all that come later`, async () => {
    const registry = new Registry();
    const family = new MetricFamily({ name: "c_total", help: "", type: "counter", labels }, registry);
    for (let i = 0; i < ROWS_MAX + 7; i++) family.row(`m${i}`, "0").add();
    const lines = (await registry.metrics()).split("\n").filter((line) => line.startsWith("c_total{"));
    expect(lines).toHaveLength(ROWS_MAX + 1);
    expect(lines.at(-1)).toBe('c_total{model_name="other",priority="other"} 7');
  });
});

const sorted = (page: string): readonly string[] => page.split("\n").toSorted();

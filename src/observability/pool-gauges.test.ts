import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { endpoint, testCompiler } from "../core/test-support/test-plan.ts";
import { CoreDriver } from "../server/core-driver.ts";
import { registerPoolGauges } from "./pool-gauges.ts";

function setUp() {
  const clock = { us: 1000 };
  const driver = new CoreDriver({ compile: testCompiler(() => []), seed: 1, nowUs: () => clock.us });
  driver.load({ text: "", options: {} });
  const registry = new Registry();
  registerPoolGauges({ registry, driver, poolName: "p", freshWithinUs: 1000 });
  const page = async () =>
    Object.fromEntries(
      (await registry.metrics())
        .split("\n")
        .filter((line) => line && !line.startsWith("#"))
        .map((line) => line.split(/ (?=\S+$)/) as [string, string]),
    );
  const scraped = (name: string, kvUsage: number, waiting: number, running: number): void => {
    const place = driver.upsert(endpoint(name))!;
    driver.scraped({ ...place, kvUsage, waiting, running });
  };
  return { clock, driver, page, scraped };
}

describe("gauges of the pool", () => {
  it("tell means and deviations over endpoints with fresh metrics, under both names", async () => {
    const { page, scraped, driver } = setUp();
    scraped("a", 0.125, 2, 1);
    scraped("b", 0.5, 4, 1);
    driver.upsert(endpoint("never-scraped"));
    expect(await page()).toMatchObject({
      'llm_d_epp_average_kv_cache_utilization{name="p"}': "0.31",
      'inference_pool_average_kv_cache_utilization{name="p"}': "0.31",
      'llm_d_epp_average_queue_size{name="p"}': "3",
      'inference_pool_average_running_requests{name="p"}': "1",
      'llm_d_epp_std_dev_queue_size{name="p"}': String(Math.SQRT2),
      'llm_d_epp_std_dev_running_requests{name="p"}': "0",
      'llm_d_epp_ready_endpoints{name="p"}': "2",
      'inference_pool_ready_pods{name="p"}': "2",
      'llm_d_epp_per_endpoint_queue_size{name="p",model_server_endpoint="b"}': "4",
      'inference_pool_per_pod_queue_size{name="p",model_server_pod="never-scraped"}': "0",
    });
  });

  it("keep their last value when no endpoint is fresh any more, but for the number of these", async () => {
    const { page, scraped, clock } = setUp();
    scraped("a", 0.5, 3, 1);
    await page();
    clock.us += 5000;
    expect(await page()).toMatchObject({
      'llm_d_epp_average_queue_size{name="p"}': "3",
      'llm_d_epp_ready_endpoints{name="p"}': "0",
    });
  });

  it("forget the queue of an endpoint that is gone", async () => {
    const { page, scraped, driver } = setUp();
    scraped("a", 0.5, 3, 1);
    await page();
    driver.remove("default/a");
    expect(Object.keys(await page()).filter((name) => name.includes("queue_size{") && name.includes('a"'))).toEqual([]);
  });
});

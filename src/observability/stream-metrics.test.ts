import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { createStreamMetrics } from "./stream-metrics.ts";

const lines = async (registry: Registry) =>
  (await registry.metrics()).split("\n").filter((line) => !line.startsWith("#"));

it("streams are counted while open, and by time and code when over", async () => {
  const registry = new Registry();
  let now = 10;
  const streams = createStreamMetrics(registry, () => now);
  const [first, second, third] = [streams.open(), streams.open(), streams.open()];
  streams.open();
  now = 10.4;
  first(0);
  second(3);
  now = 1000;
  third(99);
  const page = await lines(registry);
  expect(page).toEqual(
    expect.arrayContaining([
      "llm_d_epp_extproc_streams_inflight 1",
      'llm_d_epp_extproc_streams_total{code="OK"} 1',
      'llm_d_epp_extproc_streams_total{code="InvalidArgument"} 1',
      'llm_d_epp_extproc_streams_total{code="Unknown"} 1',
      'llm_d_epp_extproc_stream_duration_seconds_bucket{le="0.1"} 0',
      'llm_d_epp_extproc_stream_duration_seconds_bucket{le="0.5"} 2',
      'llm_d_epp_extproc_stream_duration_seconds_bucket{le="600"} 2',
      "llm_d_epp_extproc_stream_duration_seconds_count 3",
    ]),
  );
});

it("the page has the families before the first stream", async () => {
  const registry = new Registry();
  createStreamMetrics(registry, () => 0);
  expect(await lines(registry)).toContain("llm_d_epp_extproc_streams_inflight 0");
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { capturedMetrics } from "../test-support/captures.ts";
import { FROZEN_STEP, get, post, startTinyPod } from "../test-support/small-pod.ts";
import { formatNumber } from "./metrics-text.ts";
import type { Pod } from "./pod.ts";

interface Family {
  readonly type: string;
  /** Sorted label names of its samples, each combination once, with the sample's suffix. */
  readonly labels: readonly string[];
  /** Bucket bounds. */
  readonly bounds: readonly string[];
  readonly values: ReadonlyMap<string, number>;
}

/** Families of a page of the Prometheus text format, read plainly. */
function families(page: string): Map<string, Family> {
  const found = new Map<
    string,
    { type: string; labels: Set<string>; bounds: Set<string>; values: Map<string, number> }
  >();
  let current = "";
  for (const line of page.split("\n").filter((l) => l !== "")) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type) {
      current = type[1];
      expect(found.has(current)).toBe(false);
      found.set(current, { type: type[2], labels: new Set(), bounds: new Set(), values: new Map() });
    }
    if (line.startsWith("#")) continue;
    const sample = /^([a-zA-Z_:0-9]+)(?:\{(.*)\})? (\S+)$/.exec(line)!;
    const names = [...(sample[2] ?? "").matchAll(/([a-zA-Z_]+)="((?:[^"\\]|\\.)*)"/g)];
    const family = found.get(current)!;
    const suffix = sample[1].slice(current.length);
    family.labels.add(`${suffix}{${names.map(([, name]) => name).join(",")}}`);
    for (const [, name, value] of names) if (name === "le") family.bounds.add(value);
    family.values.set(sample[2] === undefined ? sample[1] : `${sample[1]}{${sample[2]}}`, Number(sample[3]));
  }
  return new Map([...found].map(([name, f]) => [name, { ...f, labels: [...f.labels].sort(), bounds: [...f.bounds] }]));
}

const REQUIRED = [
  "vllm:num_requests_waiting",
  "vllm:num_requests_running",
  "vllm:kv_cache_usage_perc",
  "vllm:prefix_cache_queries_total",
  "vllm:prefix_cache_hits_total",
  "vllm:prompt_tokens_total",
  "vllm:generation_tokens_total",
  "vllm:num_preemptions_total",
  "vllm:cache_config_info",
  "vllm:request_success_total",
  "vllm:time_to_first_token_seconds",
  "vllm:inter_token_latency_seconds",
  "vllm:e2e_request_latency_seconds",
  "vllm:lora_requests_info",
];

let pod: Pod;
beforeAll(async () => {
  pod = await startTinyPod({ loraAdapters: ["lora-tides", "lora-buoys"], lorasMax: 2 });
});
afterAll(() => pod.stop());

describe("the metrics page", () => {
  it("has the families of vLLM's, each with the same type, labels and buckets", async () => {
    await post(pod, "/v1/completions", { prompt: "hello there", max_tokens: 5 });
    const answer = await get(pod, "/metrics");
    expect(answer.headers.get("content-type")).toBe("text/plain; version=1.0.0; charset=utf-8");
    const ours = families(answer.text);
    const theirs = families(capturedMetrics("lora-under-load"));
    for (const [name, family] of ours) {
      const captured = theirs.get(name);
      expect(captured, name).toBeDefined();
      expect({ name, type: family.type, labels: family.labels, bounds: family.bounds }).toEqual({
        name,
        type: captured!.type,
        labels: captured!.labels,
        bounds: captured!.bounds,
      });
    }
    for (const name of REQUIRED) expect(ours.has(name), name).toBe(true);
    // Of vLLM's own families only the estimates of FLOPs are not modelled.
    const missing = [...theirs.keys()].filter((name) => name.startsWith("vllm:") && !ours.has(name));
    expect(missing.filter((name) => !name.startsWith("vllm:estimated_"))).toEqual([]);
  });

  it("has the families that vLLM 0.20 had too, with the same type", async () => {
    const theirs = families(capturedMetrics("under-load-0.20.0"));
    const ours = families((await get(pod, "/metrics")).text);
    let compared = 0;
    for (const [name, family] of ours) {
      if (!theirs.has(name) || !name.startsWith("vllm:")) continue;
      expect([name, family.type]).toEqual([name, theirs.get(name)!.type]);
      compared++;
    }
    expect(compared).toBeGreaterThan(40);
  });

  it("counts what was served", async () => {
    const fresh = await startTinyPod();
    const prompt = "one two three ".repeat(40);
    for (let i = 0; i < 2; i++) await post(fresh, "/v1/completions", { prompt, max_tokens: 5, ignore_eos: true });
    await post(fresh, "/v1/completions", "{");
    const page = families((await get(fresh, "/metrics")).text);
    const value = (name: string, labels: string): number => page.get(name)!.values.get(`${name}{${labels}}`)!;
    const common = 'engine="0",model_name="tiny-llama"';
    const tokens = value("vllm:prompt_tokens_total", common) / 2;
    expect(tokens).toBeGreaterThan(100);
    expect(value("vllm:prefix_cache_queries_total", common)).toBe(2 * tokens);
    expect(value("vllm:prefix_cache_hits_total", common)).toBe(Math.floor((tokens - 1) / 32) * 32);
    expect(value("vllm:generation_tokens_total", common)).toBe(10);
    expect(value("vllm:request_success_total", 'engine="0",finished_reason="length",model_name="tiny-llama"')).toBe(2);
    expect(value("vllm:num_requests_running", common)).toBe(0);
    const histogram = page.get("vllm:request_generation_tokens")!.values;
    expect(histogram.get(`vllm:request_generation_tokens_count{${common}}`)).toBe(2);
    expect(histogram.get(`vllm:request_generation_tokens_bucket{engine="0",le="2.0",model_name="tiny-llama"}`)).toBe(0);
    expect(histogram.get(`vllm:request_generation_tokens_bucket{engine="0",le="5.0",model_name="tiny-llama"}`)).toBe(2);
    const http = page.get("http_requests_total")!.values;
    const answered = (status: string): number | undefined =>
      http.get(`http_requests_total{handler="/v1/completions",method="POST",status="${status}"}`);
    expect([answered("2xx"), answered("4xx")]).toEqual([2, 1]);
    await fresh.stop();
  });

  it("shows running and waiting requests and the KV use while they are there", async () => {
    const busy = await startTinyPod({ timeScale: 1, engine: { seqsMax: 2, stepTime: FROZEN_STEP } });
    const abort = new AbortController();
    for (let i = 0; i < 5; i++) {
      const body = JSON.stringify({ prompt: `${i} ${"word ".repeat(100)}`, max_tokens: 50, stream: true });
      // A stream's headers come before its first token.
      await fetch(`${busy.url}/v1/completions`, { method: "POST", body, signal: abort.signal });
    }
    const page = families((await get(busy, "/metrics")).text);
    const value = (name: string): number => page.get(name)!.values.get(`${name}{engine="0",model_name="tiny-llama"}`)!;
    // Four blocks of 32 for the first prompt; the others wait for the end of the first step.
    expect([value("vllm:num_requests_running"), value("vllm:num_requests_waiting")]).toEqual([1, 4]);
    expect(value("vllm:kv_cache_usage_perc")).toBeCloseTo(4 / 127, 10);
    abort.abort();
    await busy.stop();
  });

  it("has the older name of the KV use when it is told so, and not the new one", async () => {
    const old = await startTinyPod({ kvUsageMetric: "vllm:gpu_cache_usage_perc" });
    const page = families((await get(old, "/metrics")).text);
    expect([page.has("vllm:gpu_cache_usage_perc"), page.has("vllm:kv_cache_usage_perc")]).toEqual([true, false]);
    await old.stop();
  });

  it("tells block size and number of blocks", async () => {
    const [sample] = families((await get(pod, "/metrics")).text)
      .get("vllm:cache_config_info")!
      .values.keys();
    expect(sample).toContain(',block_size="32",');
    expect(sample).toContain(',num_gpu_blocks="128",');
    expect(sample).toContain(',enable_prefix_caching="True",');
  });

  it("names the adapters of running and of waiting requests, the latest combination last", async () => {
    const busy = await startTinyPod({
      timeScale: 1,
      loraAdapters: ["a", "b"],
      engine: { seqsMax: 1, stepTime: FROZEN_STEP },
    });
    const abort = new AbortController();
    await get(busy, "/metrics");
    for (const model of ["a", "b"]) {
      const body = JSON.stringify({ model, prompt: "hello", max_tokens: 50, stream: true });
      await fetch(`${busy.url}/v1/completions`, { method: "POST", body, signal: abort.signal });
    }
    const samples = [...families((await get(busy, "/metrics")).text).get("vllm:lora_requests_info")!.values];
    expect(samples.map(([name]) => name)).toEqual([
      'vllm:lora_requests_info{max_lora="4",running_lora_adapters="",waiting_lora_adapters=""}',
      'vllm:lora_requests_info{max_lora="4",running_lora_adapters="a",waiting_lora_adapters="b"}',
    ]);
    expect(samples[1][1]).toBeGreaterThanOrEqual(samples[0][1]);
    abort.abort();
    await busy.stop();
  });
});

describe("numbers on the page", () => {
  it.each([
    [0, "0.0"],
    [8, "8.0"],
    [0.6377952755905512, "0.6377952755905512"],
    [999_999, "999999.0"],
    [1e6, "1.0e+06"],
    [1234567, "1.234567e+06"],
    [1795508416.5674996, "1.7955084165674996e+09"],
    [Infinity, "+Inf"],
    [-Infinity, "-Inf"],
    [NaN, "NaN"],
  ])("%d is written %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });
});

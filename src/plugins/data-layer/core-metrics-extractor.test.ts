import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { coreMetricsExtractor, createCoreMetricsExtractor } from "./core-metrics-extractor.ts";
import type { CoreMetricsExtractorParams } from "./core-metrics-extractor.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const gauge = (name: string, value: number | string, labels = "") =>
  `# TYPE ${name} gauge\n${name}${labels} ${value}\n`;
const capture = (name: string) => gunzipSync(readFileSync(`test/captures/vllm/metrics/${name}.txt.gz`));

function extract(
  page: string | Uint8Array,
  labels: Record<string, string> = {},
  params: CoreMetricsExtractorParams = {},
) {
  return createCoreMetricsExtractor(params).extract(typeof page === "string" ? bytes(page) : page, {
    name: "pod-0",
    labels,
  });
}

const VLLM =
  gauge("vllm:num_requests_waiting", 3) +
  gauge("vllm:num_requests_running", 5) +
  gauge("vllm:kv_cache_usage_perc", 0.25);
const engineLabel = (name: string) => ({ "llm-d.ai/engine-type": name });

describe("core-metrics-extractor", () => {
  it.each([
    ["under-load", { waiting: 12, running: 8, kvUsage: 0.6377952755905512, blockSizeTokens: 32, blockCount: 128 }],
    [
      "under-load-0.20.0",
      { waiting: 8, running: 8, kvUsage: 0.6614173228346456, blockSizeTokens: 32, blockCount: 128 },
    ],
    ["idle-fresh", { waiting: 0, running: 0, kvUsage: 0, blockSizeTokens: 32, blockCount: 128 }],
  ])("reads the vLLM page %s without errors", (name, row) => {
    expect(extract(capture(name))).toEqual({ row, errors: [] });
  });

  it.each([
    ["lora-under-load", ["lora-buoys", "lora-tides"]],
    // The series without adapters is the newest here: the others are stale.
    ["lora-after-load", []],
  ])("takes the newest LoRA series of %s", (name, adapters) => {
    const result = extract(capture(name));
    expect(result).toMatchObject({ row: { lora: { active: adapters, waiting: adapters, max: 2 } }, errors: [] });
  });

  it.each<[string, string, Record<string, string>, object]>([
    [
      "sglang",
      gauge("sglang:num_queue_reqs", 1) +
        gauge("sglang:num_running_reqs", 2) +
        gauge("sglang:token_usage", 0.5) +
        gauge("sglang:cache_config_info", 1, '{page_size="64",num_pages="4000"}'),
      engineLabel("sglang"),
      { waiting: 1, running: 2, kvUsage: 0.5, blockSizeTokens: 64, blockCount: 4000 },
    ],
    [
      "trtllm-serve",
      gauge("trtllm_num_requests_waiting", 1) +
        gauge("trtllm_num_requests_running", 2) +
        gauge("trtllm_kv_cache_utilization", 0.5) +
        gauge("trtllm_kv_cache_tokens_per_block", 32) +
        gauge("trtllm_kv_cache_max_blocks", 100),
      { "inference.networking.k8s.io/engine-type": "trtllm-serve" },
      { waiting: 1, running: 2, kvUsage: 0.5, blockSizeTokens: 32, blockCount: 100 },
    ],
    [
      "triton-tensorrt-llm",
      '# TYPE nv_trt_llm_request_metrics gauge\nnv_trt_llm_request_metrics{request_type="active"} 9\nnv_trt_llm_request_metrics{request_type="scheduled"} 2\n' +
        'nv_trt_llm_request_metrics{request_type="waiting"} 1\n# TYPE nv_trt_llm_kv_cache_block_metrics gauge\nnv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction"} 0.5\n' +
        'nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="tokens_per"} 64\nnv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="max"} 900\n',
      engineLabel("triton-tensorrt-llm"),
      { waiting: 1, running: 2, kvUsage: 0.5, blockSizeTokens: 64, blockCount: 900 },
    ],
    [
      "triton",
      gauge("nv_inference_pending_request_count", 1.9) +
        "# TYPE nv_inference_exec_count counter\nnv_inference_exec_count 2\n",
      engineLabel("triton"),
      { waiting: 1, running: 2 },
    ],
  ])("reads %s", (_, page, labels, row) => expect(extract(page, labels)).toEqual({ row, errors: [] }));

  it.each([
    ["of the first label", { "llm-d.ai/engine-type": "sglang", "inference.networking.k8s.io/engine-type": "vllm" }, 7],
    [
      "of the second label when the first is empty",
      { "llm-d.ai/engine-type": "", "inference.networking.k8s.io/engine-type": "sglang" },
      7,
    ],
    ["vllm without a label", {}, 3],
    ["vllm for an unknown name", engineLabel("VLLM"), 3],
    ["vllm for the reserved name", engineLabel("default"), 3],
  ])("reads a pod by the engine %s", (_, labels, waiting) => {
    expect(extract(VLLM + gauge("sglang:num_queue_reqs", 7), labels)).toMatchObject({ row: { waiting } });
  });

  it("follows the label key and default engine of the config", () => {
    const page = VLLM + gauge("sglang:num_queue_reqs", 7);
    const params = { engineLabelKey: "engine", defaultEngine: "sglang" };
    expect(extract(page, {}, params)).toMatchObject({ row: { waiting: 7 } });
    expect(extract(page, { engine: "vllm" }, params)).toMatchObject({ row: { waiting: 3 } });
    expect(extract(page, engineLabel("vllm"), params)).toMatchObject({ row: { waiting: 7 } });
  });

  it("lets a config replace an engine wholly, and leave signals out", () => {
    const engineConfigs = [{ name: "vllm", queuedRequestsSpec: "my:waiting{kind=a}", kvUsageSpec: "" }];
    const page = `${VLLM}# TYPE my:waiting gauge\nmy:waiting{kind="b"} 1\nmy:waiting{kind="a"} 2\n`;
    expect(extract(page, {}, { engineConfigs })).toEqual({ row: { waiting: 2 }, errors: [] });
  });

  it("gives custom metrics by their keys", () => {
    const customMetrics = [
      { attributeKey: "x", metricSpec: "my:x" },
      { attributeKey: "y", metricSpec: "my:y{a=b}" },
      { attributeKey: "z", metricSpec: "my:z" },
    ];
    const page = gauge("my:x", 1.5) + gauge("my:y", 2, '{a="b"}') + gauge("my:z", "NaN");
    expect(extract(page, {}, { engineConfigs: [{ name: "vllm", customMetrics }] })).toEqual({
      row: { attributes: { x: 1.5, y: 2 } },
      errors: ['Cannot use NaN as custom metric "z": expected a finite number'],
    });
  });

  describe("the KV cache's use in vLLM", () => {
    const older = gauge("vllm:gpu_cache_usage_perc", 0.75);
    const kvUsage = (page: string, params?: CoreMetricsExtractorParams) => {
      const result = extract(page, {}, params);
      return "failed" in result ? result.failed : result.row?.kvUsage;
    };
    it("comes from the older name where the page has no newer one", () => expect(kvUsage(older)).toBe(0.75));
    it("comes from the newer name where the page has both", () => expect(kvUsage(older + VLLM)).toBe(0.25));
    it("needs the newer name where that is asked for", () =>
      expect(kvUsage(older, { readsOldKvUsage: false })).toBeUndefined());
    it("is missing, with an error, where the page has neither", () => {
      expect(extract(gauge("vllm:num_requests_waiting", 1))).toMatchObject({
        errors: expect.arrayContaining([
          'Cannot find the metric "vllm:kv_cache_usage_perc" or "vllm:gpu_cache_usage_perc" on the page',
        ]) as unknown,
      });
    });
    it("is not taken when it is no number", () => {
      const result = extract(VLLM.replace("0.25", "+Inf"));
      expect(result).toMatchObject({ row: { waiting: 3, running: 5 } });
      expect(result).not.toMatchObject({ row: { kvUsage: expect.anything() as unknown } });
    });
  });

  it.each([
    ["3.99", 3],
    ["-3.99", -3],
    ["-0.5", 0],
    ["NaN", -(2 ** 63)],
    ["+Inf", -(2 ** 63)],
    ["-Inf", -(2 ** 63)],
    ["1e30", -(2 ** 63)],
    ["9223372036854775808", -(2 ** 63)],
    ["9223372036854774784", 9223372036854774784],
  ])("cuts %s waiting requests to %d", (value, waiting) => {
    expect(extract(gauge("vllm:num_requests_waiting", value))).toMatchObject({ row: { waiting } });
  });

  it.each<[string, object, number]>([
    ['{block_size="16",num_gpu_blocks="100"}', { blockSizeTokens: 16, blockCount: 100 }, 0],
    ['{block_size="16",num_gpu_blocks="None"}', { blockSizeTokens: 16 }, 1],
    ['{block_size="x",num_gpu_blocks="100"}', { blockSizeTokens: 0, blockCount: 100 }, 1],
    ['{block_size="",num_gpu_blocks=""}', { blockSizeTokens: 0 }, 0],
    ["", { blockSizeTokens: 0 }, 0],
  ])("reads the KV cache's shape from %s", (labels, shape, errors) => {
    const result = extract(VLLM + gauge("vllm:cache_config_info", 1, labels));
    expect(result).toMatchObject({ row: { waiting: 3, running: 5, kvUsage: 0.25, ...shape } });
    expect("row" in result && Object.keys(result.row)).toHaveLength(3 + Object.keys(shape).length);
    expect("errors" in result && result.errors).toHaveLength(errors);
  });

  it.each<[string, object]>([
    [
      '{max_lora="2",running_lora_adapters="a, b,,a ",waiting_lora_adapters=""}',
      { active: ["a", "b"], waiting: [], max: 2 },
    ],
    ['{max_lora="",running_lora_adapters="a"}', { active: ["a"], waiting: [], max: -1 }],
    ['{max_lora="x",waiting_lora_adapters="b"}', { active: [], waiting: ["b"], max: -1 }],
    ["", { active: [], waiting: [], max: -1 }],
  ])("reads LoRA adapters from %s", (labels, lora) => {
    expect(extract(VLLM + gauge("vllm:lora_requests_info", 7, labels))).toMatchObject({ row: { lora } });
  });

  it("gives no row when the page has nothing that is wanted", () => {
    const result = extract("# TYPE x gauge\nx 1\n");
    expect(result).toMatchObject({ errors: { length: 4 } });
    expect("row" in result).toBe(false);
  });

  it("refuses a malformed page", () => {
    expect(extract(`${VLLM}x`)).toEqual({
      failed: expect.stringContaining("Cannot read the metrics page: line 7") as unknown,
    });
  });
});

describe("parameters of core-metrics-extractor", () => {
  const issues = (params: unknown) =>
    coreMetricsExtractor.params.safeParse(params).error?.issues.map(({ path, message }) => [path.join("."), message]);

  it("have defaults", () => {
    expect(coreMetricsExtractor.params.parse({ engineLabelKey: "", defaultEngine: "" })).toEqual({
      engineLabelKey: "llm-d.ai/engine-type",
      readsOldKvUsage: true,
      defaultEngine: "vllm",
      engineConfigs: [],
    });
  });

  it.each<[string, unknown, string, string]>([
    [
      "an unknown default engine",
      { defaultEngine: "nope" },
      "defaultEngine",
      "one of vllm, sglang, trtllm-serve, triton-tensorrt-llm, triton",
    ],
    [
      "a reserved name",
      { engineConfigs: [{ name: "default" }] },
      "engineConfigs.0.name",
      'another name: "default" is reserved for the default engine',
    ],
    [
      "no name",
      { engineConfigs: [{ name: "" }] },
      "engineConfigs.0.name",
      "the name of an engine, as in the engine label of pods",
    ],
    [
      "a name twice",
      { engineConfigs: [{ name: "x" }, { name: "x" }] },
      "engineConfigs.1.name",
      "a name that no engine before it has",
    ],
    [
      "a broken specification",
      { engineConfigs: [{ name: "x", queuedRequestsSpec: "a{b" }] },
      "engineConfigs.0.queuedRequestsSpec",
      'a metric specification such as name{label="value"} (found the end where = should be)',
    ],
    [
      "a key twice",
      {
        engineConfigs: [
          {
            name: "x",
            customMetrics: [
              { attributeKey: "k", metricSpec: "a" },
              { attributeKey: "k", metricSpec: "b" },
            ],
          },
        ],
      },
      "engineConfigs.0.customMetrics.1.attributeKey",
      "an attributeKey that no other custom metric of the engine has",
    ],
    [
      "a custom metric without a specification",
      { engineConfigs: [{ name: "x", customMetrics: [{ attributeKey: "k", metricSpec: "" }] }] },
      "engineConfigs.0.customMetrics.0.metricSpec",
      'a metric specification such as name{label="value"}',
    ],
  ])("refuse %s", (_, params, path, message) => expect(issues(params)).toEqual([[path, message]]));

  it("refuse unknown keys, at every depth", () => {
    expect(issues({ foo: 1 })).toHaveLength(1);
    expect(issues({ engineConfigs: [{ name: "x", foo: 1 }] })).toHaveLength(1);
  });
});

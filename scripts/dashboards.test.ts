import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { dashboardJson, dashboardNames, dashboardSource } from "./dashboards.mjs";

/** What the llm-d playbook's dashboard and OpenShift AI's read. */
const READ_ELSEWHERE = `
vllm:time_to_first_token_seconds_bucket vllm:time_to_first_token_seconds_sum vllm:time_per_output_token_seconds_bucket
vllm:e2e_request_latency_seconds_bucket vllm:e2e_request_latency_seconds_count vllm:inter_token_latency_seconds_bucket
vllm:prefix_cache_hits_total vllm:prefix_cache_queries_total vllm:kv_cache_usage_perc vllm:gpu_cache_usage_perc
vllm:request_success_total vllm:num_requests_running vllm:num_requests_waiting vllm:num_preemptions_total
vllm:prompt_tokens_total vllm:generation_tokens_total vllm:request_queue_time_seconds_sum
inference_pool_ready_pods inference_pool_average_queue_size inference_pool_average_kv_cache_utilization
inference_pool_per_pod_queue_size inference_objective_request_total inference_objective_request_error_total
inference_objective_running_requests inference_objective_input_tokens_sum inference_objective_output_tokens_sum
inference_objective_normalized_time_per_output_token_seconds_bucket inference_objective_request_slo_violation_total
inference_extension_scheduler_e2e_duration_seconds_bucket inference_extension_scheduler_attempts_total
inference_extension_prefix_indexer_size inference_extension_prefix_indexer_hit_ratio_sum
inference_extension_prefix_indexer_hit_bytes_sum inference_extension_plugin_duration_seconds_bucket
llm_d_inference_scheduler_pd_decision_total llm_d_inference_scheduler_disagg_decision_total
llm_d_epp_request_ttft_seconds_bucket`;

const folder = new URL("../deploy/monitoring/dashboards/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), "utf8");
const written = new Map<string, string>();
for (const name of dashboardNames()) written.set(name, await dashboardJson(name));

describe("the dashboards in deploy/monitoring", () => {
  it.each(dashboardNames())(
    "have %s as its source says; `node scripts/dashboards.mjs` writes it anew",
    (name: string) => {
      expect(read(`${name}.json`)).toBe(written.get(name));
    },
  );

  it("are all in the kustomization", () => {
    const { configMapGenerator } = parse(read("kustomization.yaml")) as { configMapGenerator: { files: string[] }[] };
    const files = configMapGenerator.flatMap(({ files: own }) => own);
    expect(files.toSorted()).toEqual(dashboardNames().map((name: string) => `${name}.json`));
    expect(files.length).toBeGreaterThan(2);
  });

  it("show in llm-d.json every series that the playbook and OpenShift AI read", () => {
    const text = read("llm-d.json");
    expect(
      READ_ELSEWHERE.trim()
        .split(/\s+/)
        .filter((name) => !text.includes(`${name}{`)),
    ).toEqual([]);
  });

  it("leave no selector unreplaced, and no two panels on one place", () => {
    for (const name of dashboardNames()) {
      const text = written.get(name)!;
      expect(text).not.toContain("undefined");
      expect(text).not.toMatch(/<\w+>/);
      const { panels } = JSON.parse(text) as { panels: { gridPos: { x: number; y: number; w: number } }[] };
      const places = panels.map(({ gridPos: { x, y } }) => `${x},${y}`);
      expect(new Set(places).size).toBe(places.length);
      for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      const asked = dashboardSource(name).rows.flatMap((row: { panels: unknown[] }) => row.panels).length;
      expect(panels.length).toBe(asked + dashboardSource(name).rows.length);
    }
  });
});

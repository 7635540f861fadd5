import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { stringify } from "yaml";
import { startPods } from "../../src/simulator/pods/start-pods.ts";
import { readFamily } from "../golden/cases.ts";
import { FAMILIES } from "../golden/families.ts";
import { KSERVE_35 } from "../support/disaggregation-configs.ts";
import { Disaggregated } from "../support/disaggregated-stack.ts";
import { describeWithEnvoy } from "../support/envoy.ts";
import { DASHBOARDS, metricNames, panels, prometheusConfig, rules, variables } from "../support/monitoring.ts";
import { describeWithPrometheus, startPrometheus, testFolder, type RunningPrometheus } from "../support/prometheus.ts";
import { startStack, type Stack } from "../support/stack.ts";

const MODEL = "Qwen3-0.6B";
const CONVERSATIONS = 4;

/** Names that nothing here tells, and why dashboards and alerts hold them all the same. */
const TOLD_ELSEWHERE: Readonly<Record<string, string>> = {
  up: "Prometheus itself",
  "vllm:time_per_output_token_seconds_bucket": "vLLM before inter_token_latency_seconds",
  inference_objective_request_slo_violation_total: "predicted latency",
};

/** What a variable of a dashboard is set to. */
const CHOSEN: Readonly<Record<string, string>> = {
  namespace: "demo-llm",
  model_name: MODEL,
  pool: "pool",
  ours: "qwen-tsepp",
  stock: "qwen-epp-service",
  __rate_interval: "10s",
};

const chosen = (text: string): string => text.replaceAll(/\$(\w+)/g, (_, name: string) => CHOSEN[name]);

/** Names of the series of a metrics page. */
const namesOf = (page: string): readonly string[] =>
  [...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name, type]) => seriesOf(name, type));

const seriesOf = (name: string, type: string): readonly string[] =>
  type === "histogram" ? ["_bucket", "_sum", "_count"].map((suffix) => name + suffix) : [name];

const pageOf = async (url: string): Promise<string> => (await fetch(url)).text();

/** Conversations that grow by a turn, streamed and not, and now and then a request that is refused; until the signal. */
async function load(stack: Stack, signal: AbortSignal): Promise<void> {
  const post = async (body: object) => {
    const response = await fetch(`${stack.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: MODEL, max_tokens: 20, ...body }),
    });
    await response.text();
    return response.status;
  };
  const talk = async (id: number) => {
    for (let turn = 0; !signal.aborted; turn++) {
      const content = `conversation ${id} `.repeat(100 + 10 * (turn % 50));
      const stream = turn % 2 === 0 && { stream: true, stream_options: { include_usage: true } };
      expect(await post({ messages: [{ role: "user", content }], ...stream })).toBe(200);
      if (turn % 10 === id) expect(await post({ messages: [] })).toBe(400);
    }
  };
  await Promise.all(Array.from({ length: CONVERSATIONS }, (_, id) => talk(id)));
}

interface Target {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** Targets by job as Kubernetes would find them: labels of Service and pod before relabelling. */
function targetsOf(stack: Stack, service: string): Readonly<Record<string, readonly Target[]>> {
  const host = (url: string) => new URL(url).host;
  const labels = {
    __meta_kubernetes_namespace: CHOSEN["namespace"],
    __meta_kubernetes_service_name: service,
    __meta_kubernetes_service_label_app_kubernetes_io_part_of: "llminferenceservice",
    __meta_kubernetes_service_label_app_kubernetes_io_name: service,
    __meta_kubernetes_endpoint_port_name: "metrics",
  };
  const component = "__meta_kubernetes_service_label_app_kubernetes_io_component";
  return {
    "llm-d-epp-metrics": [
      {
        targets: [host(stack.metricsUrl)],
        labels: {
          ...labels,
          [component]: "llminferenceservice-router-scheduler",
          __meta_kubernetes_pod_name: `${service}-0`,
        },
      },
      // Not a picker: relabelling drops it.
      { targets: [host(stack.pods[0].url)], labels: { ...labels, [component]: "llminferenceservice-workload" } },
    ],
    "llm-d-vllm-metrics": stack.pods.map(({ url, name }) => ({
      targets: [host(url)],
      labels: {
        __meta_kubernetes_namespace: CHOSEN["namespace"],
        __meta_kubernetes_pod_name: `${service}-${name}`,
        __meta_kubernetes_pod_label_app_kubernetes_io_part_of: "llminferenceservice",
        __meta_kubernetes_pod_label_kserve_io_component: "workload",
        __meta_kubernetes_pod_container_port_number: "8000",
      },
    })),
  };
}

/** The config of deploy/monitoring with these targets in the place of those that Kubernetes would name. */
function scrapeConfig(stacks: Readonly<Record<string, Stack>>) {
  const found = Object.entries(stacks).map(([service, stack]) => targetsOf(stack, service));
  const rulesFile = join(testFolder(), "rules.yaml");
  writeFileSync(rulesFile, stringify(rules()));
  return {
    ...prometheusConfig(),
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: [rulesFile],
    scrape_configs: prometheusConfig().scrape_configs.map(
      ({ kubernetes_sd_configs: _discovery, authorization: _token, tls_config: _tls, scheme: _https, ...job }) => ({
        ...job,
        static_configs: found.flatMap((targets) => targets[job.job_name]),
      }),
    ),
  };
}

/** Queries that give no number, or none for a label that their legend names; as `dashboard: panel: query`. */
async function withoutData(prometheus: RunningPrometheus): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const { dashboard, title, targets } of panels()) {
    for (const { expr, legendFormat } of targets) {
      const samples = await prometheus.query(chosen(expr));
      const labels = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
      const has = samples.some(
        ({ metric, value }) => Number.isFinite(value) && labels.every((label) => metric[label] !== undefined),
      );
      if (!has) missing.push(`${dashboard}: ${title}: ${legendFormat}`);
    }
  }
  return missing;
}

/** All names in dashboards and alerts that neither a page here nor a recording of the stock EPP has. */
async function untoldNames(stack: Stack): Promise<readonly string[]> {
  const older = await startPods({ kvUsageMetric: "vllm:gpu_cache_usage_perc" });
  onTestFinished(() => older.stop());
  const urls = [stack.metricsUrl, ...[...stack.pods, ...older.pods].map(({ url }) => `${url}/metrics`)];
  const pages = await Promise.all(urls.map(pageOf));
  const recorded = FAMILIES.flatMap((family) => readFamily(family))
    .flatMap(({ answers: { families = [] } }) => families)
    .flatMap((line) => seriesOf(...(line.split(" ") as [string, string])));
  const told = new Set([...pages.flatMap(namesOf), ...recorded]);
  const expressions = [
    ...panels().flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ...DASHBOARDS.flatMap((name) => variables(name).map(({ selector }) => selector)),
    ...rules().groups.flatMap((group) => group.rules.map(({ expr }) => expr)),
  ];
  const named = new Set(expressions.flatMap(metricNames));
  expect(named.size).toBeGreaterThan(80);
  return [...named].filter((name) => !told.has(name));
}

/** By how fast this machine is. */
const TIMED_ALERTS: ReadonlySet<string> = new Set(["PickerSlowScheduling", "PickerEventLoopLag"]);

/** Alerts that fire or will when it stays as it is, with the target they are about. */
async function alertsOf(prometheus: RunningPrometheus): Promise<readonly string[]> {
  const { alerts } = (await prometheus.api("/alerts")) as { alerts: { labels: Record<string, string> }[] };
  return alerts
    .filter(({ labels }) => !TIMED_ALERTS.has(labels["alertname"]))
    .map(({ labels }) => `${labels["alertname"]} ${labels["instance"]}`)
    .toSorted();
}

/** What panels want that these stacks have. */
const GIVEN: ReadonlySet<string> = new Set(["disaggregation", "--enable-grpc-stream-metrics"]);

/** Panels that stay empty in these stacks, as `withoutData` names their queries. */
const empty = panels()
  .filter(({ needs }) => needs !== undefined && !GIVEN.has(needs))
  .flatMap(({ dashboard, title, targets }) =>
    targets.map((target) => `${dashboard}: ${title}: ${target.legendFormat}`),
  );

const pods = { timeScale: 0.05, engine: { seqsMax: 2 } };

/** Has polls of a pod fail, and answer again. */
async function failPolls(stack: Stack): Promise<void> {
  await stack.fault(0, { metrics: "error" });
  const failed = () => stack.metric('llm_d_epp_datalayer_poll_errors_total{source_type="metrics-data-source"}');
  await expect.poll(failed, { timeout: 10_000 }).toBeGreaterThan(0);
  await stack.fault(0, {});
}

/** Pickers under load, by the name of their Service, and a Prometheus over them. */
async function startAll() {
  const stacks = {
    "qwen-tsepp": await startStack({ pods, flags: ["--enable-grpc-stream-metrics"] }),
    // As the stock EPP with pods of another age: the KV use has a name that it does not read.
    "qwen-epp-service": await startStack({
      pods: { ...pods, kvUsageMetric: "vllm:gpu_cache_usage_perc" },
      flags: ["--strict-config"],
    }),
    "split-tsepp": (await Disaggregated.start(KSERVE_35, pods)).stack,
  };
  await failPolls(stacks["qwen-tsepp"]);
  const prometheus = await startPrometheus(scrapeConfig(stacks));
  const over = new AbortController();
  const loads = Promise.all(Object.values(stacks).map((stack) => load(stack, over.signal)));
  const endLoad = async () => {
    over.abort();
    await loads;
  };
  return { stacks, prometheus, loads, endLoad };
}

const NAME = "a Prometheus with the jobs of deploy/monitoring, over three pickers and their pods under load,";

describeWithEnvoy(NAME, () => {
  describeWithPrometheus("one of them with prefill and decode pods,", () => {
    it("has data for every panel, knows every name, and no alert but of the signal that lacks, until a picker dies", async () => {
      const { stacks, prometheus, loads, endLoad } = await startAll();
      const ours = stacks["qwen-tsepp"];
      await Promise.race([loads, expect.poll(() => withoutData(prometheus), { timeout: 40_000 }).toEqual(empty)]);

      const untold = await untoldNames(ours);
      expect(untold.filter((name) => !(name in TOLD_ELSEWHERE))).toEqual([]);
      expect(untold).toContain("up");
      for (const dashboard of DASHBOARDS) {
        for (const { name, selector, label } of variables(dashboard)) {
          const series = await prometheus.query(chosen(selector));
          const values = series.map(({ metric }) => metric[label]);
          expect([name, values]).toEqual([name, expect.arrayContaining([CHOSEN[name]])]);
        }
      }
      const { activeTargets } = (await prometheus.api("/targets?state=active")) as { activeTargets: unknown[] };
      const all = Object.values(stacks);
      expect(activeTargets.length).toBe(all.length + all.flatMap((stack) => stack.pods).length);
      const { groups } = (await prometheus.api("/rules")) as { groups: { rules: { health: string }[] }[] };
      expect(groups.flatMap((group) => group.rules).filter(({ health }) => health !== "ok")).toEqual([]);
      const missing = `PoolSignalsMissing ${new URL(stacks["qwen-epp-service"].metricsUrl).host}`;
      await expect.poll(() => alertsOf(prometheus), { timeout: 10_000 }).toEqual([missing]);

      await endLoad();
      ours.epp.child.kill("SIGKILL");
      const down = `PickerDown ${new URL(ours.metricsUrl).host}`;
      await expect.poll(() => alertsOf(prometheus), { timeout: 10_000 }).toEqual([down, missing]);
    });
  });
});

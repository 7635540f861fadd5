import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { compilePlan } from "../config/compile-plan.ts";
import { DEFAULT_CORE_LIMITS } from "../core/core-limits.ts";
import { topologyKey } from "../core/data-key.ts";
import type { Decision } from "../core/decision.ts";
import { NEVER } from "../core/endpoints.ts";
import { endLine, eventLine, headerLine } from "../core/event-log.ts";
import { Replay } from "../core/replay.ts";
import { facts } from "../core/test-support/test-plan.ts";
import { modelsKey } from "../plugins/data-layer/models-data-extractor.ts";
import { startLivePool, type LivePool } from "./live-pool.ts";

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}

async function serve(listener: RequestListener, host = "127.0.0.1"): Promise<number> {
  const server = createServer(listener);
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => void sockets.add(socket));
  await once(server.listen(0, host), "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A pod's pages: signals of vLLM, its models, its GPUs. */
const pod = (waiting: () => number, model: string, gpu: number) =>
  serve(({ url }, response) => {
    if (url === "/v1/models") response.end(JSON.stringify({ object: "list", data: [{ id: model, object: "model" }] }));
    else {
      response.end(
        `# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting ${waiting()}\n` +
          "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 0\n" +
          "# TYPE vllm:kv_cache_usage_perc gauge\nvllm:kv_cache_usage_perc 0\n" +
          '# TYPE vllm:cache_config_info gauge\nvllm:cache_config_info{block_size="16",num_gpu_blocks="9"} 1\n' +
          `# TYPE DCGM_FI_DEV_GPU_UTIL gauge\nDCGM_FI_DEV_GPU_UTIL{gpu="0"} ${gpu}\n`,
      );
    }
  });

async function writeTemp(name: string, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "live-data-layer-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, name);
  await writeFile(file, text);
  return file;
}

async function startPool(text: string): Promise<{ pool: LivePool; problems: string[]; lines: string[] }> {
  const problems: string[] = [];
  const lines = [headerLine(1, DEFAULT_CORE_LIMITS)];
  const pool = await startLivePool({
    source: { text, options: { "allow-experimental-plugins": true } },
    seed: 1,
    problem: (message) => problems.push(message),
    record: (event, number) => lines.push(eventLine(event, number)),
  });
  onTestFinished(() => pool.stop());
  return { pool, problems, lines };
}

function decide({ driver }: LivePool): Decision {
  const decisions: Decision[] = [];
  const key = driver.arrive(facts(0), { decided: (decision) => void decisions.push(decision) });
  driver.ended(key, "natural");
  return decisions[0];
}

/** What a recorded run comes to when it is played again. */
function replayed(lines: readonly string[], { driver }: LivePool) {
  const { decisionCount: decisions, decisionHash: hash } = driver.core;
  const replay = new Replay({ compile: compilePlan });
  for (const line of [...lines, endLine({ events: driver.eventCount, decisions, hash })]) replay.push(line);
  return replay.end();
}

describe("a live pool with sources of every kind", () => {
  it("knows signals, models, GPUs and places of its pods, decides by them, and replays", async () => {
    let waiting = 3;
    const ports = await Promise.all([pod(() => waiting, "a", 80), pod(() => waiting, "b", 20)]);
    const zones = ["z1", "z2"];
    const endpoints = ports.map(
      (port, i) =>
        `- {name: pod-${i}, address: 127.0.0.1, port: "${port}", labels: {topology.kubernetes.io/zone: ${zones[i]}}}\n`,
    );
    const file = await writeTemp("endpoints.yaml", `endpoints:\n${endpoints.join("")}`);
    const { pool, problems, lines } = await startPool(`plugins:
- {type: file-discovery, parameters: {path: ${JSON.stringify(file)}}}
- type: metrics-data-source
- type: core-metrics-extractor
- type: dcgm-extractor
- type: models-data-source
- type: models-data-extractor
- type: endpoint-notification-source
- type: topology-extractor
- {type: k8s-notification-source, parameters: {version: v1, kind: Pod}}
- type: endpoint-attribute-scorer
  parameters:
    attributeKey: GPUUtilization
    producer: dcgm-extractor
    algorithm: {type: linear_lower_is_better, normalization: {fixedRange: {min: 0, max: 1}}}
- type: max-score-picker
dataLayer:
  discovery: {pluginRef: file-discovery}
  sources:
  - {pluginRef: metrics-data-source, extractors: [{pluginRef: core-metrics-extractor}, {pluginRef: dcgm-extractor}]}
  - {pluginRef: models-data-source, extractors: [{pluginRef: models-data-extractor}]}
  - {pluginRef: endpoint-notification-source, extractors: [{pluginRef: topology-extractor}]}
  - pluginRef: k8s-notification-source
`);
    const { endpoints: table } = pool.driver.core;
    const models = table.attribute(modelsKey).values;
    const gpus = table.column("GPUUtilization").values;
    const known = (): boolean => {
      pool.driver.drain();
      return [0, 1].every((slot) => models[slot] && table.waiting[slot] === waiting && !Number.isNaN(gpus[slot]));
    };
    await until(known);
    expect(models).toEqual([[{ id: "a", object: "model" }], [{ id: "b", object: "model" }]]);
    expect([...gpus.subarray(0, 2)]).toEqual([0.8, 0.2]);
    const places = table.attribute(topologyKey("topology-extractor")).values;
    expect(places.map((place) => place?.zone)).toEqual(zones);
    expect(decide(pool).outcome).toMatchObject({ endpointIds: ["default/pod-1"] });
    expect(decide(pool).scores()).toEqual({
      [`127.0.0.1:${ports[0]}`]: 0.19999999999999996,
      [`127.0.0.1:${ports[1]}`]: 0.8,
    });
    waiting = 9;
    await until(known);
    expect(problems).toEqual([expect.stringContaining("k8s-notification-source watches nothing")]);
    expect(pool.scrapers.map(({ sourceType }) => sourceType)).toEqual(["metrics-data-source", "models-data-source"]);
    // Lists that stay the same are told once, however often they are asked for.
    expect(lines.filter((line) => line.includes("/v1/models/")).length).toBeLessThanOrEqual(2);
    expect(replayed(lines, pool)).toMatchObject({ same: true, decisions: 2 });
  });

  it("routes to the freest cluster, whose metrics stand at a place of their own", async () => {
    const cluster = (kv: number, queue: number) =>
      serve((_, response) => {
        response.end(
          `# TYPE llm_d_epp_average_kv_cache_utilization gauge\nllm_d_epp_average_kv_cache_utilization{name="p"} ${kv}\n` +
            `# TYPE llm_d_epp_average_queue_size gauge\nllm_d_epp_average_queue_size{name="p"} ${queue}\n`,
        );
      }, "127.4.5.6");
    const [east, west] = await Promise.all([cluster(0.9, 8), cluster(0.3, 2)]);
    const entry = (name: string, port: number) =>
      `- {name: ${name}, address: gw.${name}.test, port: "443", labels: {metricsAddress: 127.4.5.6, metricsPort: "${port}"}}\n`;
    const file = await writeTemp(
      "clusters.yaml",
      `endpoints:\n${entry("east", east)}${entry("west", west)}- {name: north, address: "fd00::1", port: "443"}\n`,
    );
    const { pool, problems, lines } = await startPool(`plugins:
- {type: multicluster-file-discovery, name: discovery, parameters: {path: ${JSON.stringify(file)}}}
- {type: multicluster-metrics-data-source, name: source, parameters: {scheme: http}}
- {type: multicluster-metrics-extractor, name: extractor}
- type: multicluster-kv-cache-utilization-scorer
- type: multicluster-queue-scorer
- type: max-score-picker
dataLayer:
  injectDefaults: false
  discovery: {pluginRef: discovery}
  sources:
  - {pluginRef: source, extractors: [{pluginRef: extractor}]}
`);
    const { endpoints: table } = pool.driver.core;
    const queues = table.column("llm-d.ai/multicluster-queue-size").values;
    await until(() => {
      pool.driver.drain();
      return queues[0] === 8 && queues[1] === 2;
    });
    const decision = decide(pool);
    expect(decision.outcome).toMatchObject({ kind: "picked", targets: ["gw.west.test:443"] });
    // A cluster of which nothing is known scores nothing.
    expect(decision.scores()).toEqual({
      "gw.east.test:443": expect.closeTo(0.1, 9),
      "gw.west.test:443": expect.closeTo(1.7, 9),
      "[fd00::1]:443": 0,
    });
    // No page of a model server was read.
    await until(() => problems.length > 0);
    expect(problems[0]).toMatch(
      /^Cannot scrape default\/north at \[fd00::1\]:443: .* \(source\); what was known of it stays$/,
    );
    expect([...table.updatedAtUs.subarray(0, 3)]).toEqual([NEVER, NEVER, NEVER]);
    expect(replayed(lines, pool)).toMatchObject({ same: true, decisions: 1 });
  });

  it("refuses a plugin whose type has no runner, with nothing left running", async () => {
    const text =
      "plugins:\n- type: random-picker\n- {type: dcgm-extractor}\ndataLayer: {sources: [{pluginRef: dcgm-extractor}]}\n";
    await expect(startPool(text)).rejects.toThrow(
      /found "dcgm-extractor" of type dcgm-extractor, expected a data source/,
    );
  });
});

/**
 * HTTP load through real Envoy, with autocannon, against simulated pods that answer at once: requests/s, latency, and the
 * picker's own CPU a request. `npm run bench:http -- [--seconds N] [--connections N] [--only TEXT] [--json] [--write]`;
 * --write makes docs/benchmarks.md from the run.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import autocannon from "autocannon";
import { findEnvoy, startEnvoy } from "../dist/server/envoy-process.js";
import { writeBenchmarks } from "./report.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const main = join(root, "dist/cli/main.js");
const MODEL = "Qwen3-0.6B";
const PODS = 4;
const IDLE_SECONDS = 5;
/** Distinct prompts of a scenario, taken in turn. */
const PROMPTS = 64;

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    connections: { type: "string", default: "8" },
    only: { type: "string", default: "" },
    json: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});

/** About `bytes` of words, different for each seed from the first one on. */
function words(seed, bytes) {
  let state = (seed * 2654435761 + 1) >>> 0;
  const parts = [];
  for (let length = 0; length < bytes;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const word = (state >>> 8).toString(36).slice(0, 3 + (state % 4));
    parts.push(word);
    length += word.length + 1;
  }
  return parts.join(" ").slice(0, bytes);
}

const chat = (bytes, answerTokens, stream) => (seed) =>
  JSON.stringify({
    model: MODEL,
    messages: [{ role: "user", content: words(seed, bytes) }],
    max_tokens: answerTokens,
    ...(stream && { stream: true, stream_options: { include_usage: true } }),
  });

const SCENARIOS = [
  { name: "200 tokens in, 100 out", body: chat(900, 100, false) },
  { name: "200 tokens in, 100 out, streamed", body: chat(900, 100, true) },
  { name: "400 kB prompt, 20 out, streamed", body: chat(400_000, 20, true), connections: 4 },
].filter(({ name }) => name.includes(options.only));

const children = [];
const folder = await mkdtemp(join(tmpdir(), "warmpath-bench-"));
try {
  await run();
} finally {
  for (const child of children) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
}

async function run() {
  const envoy = findEnvoy(process.env);
  if (!envoy) throw new Error("Cannot run the load test: there is no Envoy; npm run setup:envoy brings one");
  const endpoints = join(folder, "endpoints.yaml");
  await start(
    [
      "pods",
      "--count",
      String(PODS),
      "--base-port",
      "0",
      "--time-scale",
      "0",
      "--max-model-len",
      "400000",
      "--num-gpu-blocks",
      "60000",
      "--write-endpoints",
      endpoints,
    ],
    /ready/,
  );
  const config = join(folder, "config.yaml");
  await writeFile(config, epConfig(endpoints));
  const [grpcPort, healthPort, metricsPort] = await freePorts(3);
  const ports = ["--grpc-port", grpcPort, "--grpc-health-port", healthPort, "--metrics-port", metricsPort].map(String);
  const flags = [
    "--config-file",
    config,
    "--pool-name",
    "bench",
    "--secure-serving=false",
    "--tracing=false",
    "--drain-timeout=0s",
  ];
  const epp = await start(["epp", ...flags, ...ports], /"serving"/);
  const proxy = await startEnvoy(envoy, { extProcPort: grpcPort });
  try {
    const idle = await cpuOver(epp.pid, () => delay(IDLE_SECONDS * 1000));
    const idleCores = idle.cpuMs / idle.wallMs;
    const rows = [];
    for (const scenario of SCENARIOS) {
      await cannon(proxy.port, scenario, 2);
      rows.push(await measure(proxy.port, scenario, epp.pid, idleCores));
      if (!options.json) console.error(line(rows.at(-1)));
    }
    const report = {
      node: process.version,
      cpu: cpus()[0].model,
      cores: availableParallelism(),
      pods: PODS,
      idleCores,
      rows,
    };
    if (options.write) await writeBenchmarks(report, join(root, "docs/benchmarks.md"));
    if (options.json) console.log(JSON.stringify(report));
  } finally {
    await proxy.stop();
  }
}

async function measure(port, scenario, pid, idleCores) {
  let result;
  const used = await cpuOver(pid, async () => {
    result = await cannon(port, scenario, Number(options.seconds));
  });
  const requests = result.requests.total;
  return {
    name: scenario.name,
    connections: result.connections,
    requests,
    failed: result.non2xx + result.errors,
    requestsPerSecond: requests / (used.wallMs / 1000),
    latencyMs: { p50: result.latency.p50, p97_5: result.latency.p97_5, p99: result.latency.p99 },
    pickerCpuMs: (used.cpuMs - idleCores * used.wallMs) / requests,
    pickerRssMb: await rssMb(pid),
  };
}

/** Latency of the whole answer, the last byte included. */
async function cannon(port, scenario, seconds) {
  const bodies = Array.from({ length: PROMPTS }, (_, seed) => scenario.body(seed));
  let next = 0;
  return autocannon({
    url: `http://127.0.0.1:${port}/v1/chat/completions`,
    connections: scenario.connections ?? Number(options.connections),
    duration: seconds,
    timeout: 30,
    requests: [
      {
        method: "POST",
        headers: { "content-type": "application/json" },
        setupRequest: (request) => ({ ...request, body: bodies[next++ % PROMPTS] }),
      },
    ],
  });
}

async function cpuOver(pid, work) {
  const cpuFrom = await cpuMs(pid);
  const from = performance.now();
  await work();
  const wallMs = performance.now() - from;
  return { cpuMs: (await cpuMs(pid)) - cpuFrom, wallMs };
}

/** CPU time of a process: the sum of its threads' run time (nanoseconds in schedstat). */
async function cpuMs(pid) {
  const { readdir } = await import("node:fs/promises");
  const tasks = await readdir(`/proc/${pid}/task`);
  const times = await Promise.all(
    tasks.map((task) => readFile(`/proc/${pid}/task/${task}/schedstat`, "utf8").catch(() => "0")),
  );
  return times.reduce((sum, text) => sum + Number(text.split(" ")[0]), 0) / 1e6;
}

async function rssMb(pid) {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024;
}

/** Starts a command of ours and waits until it says that it is ready. */
async function start(argv, ready) {
  const child = spawn(process.execPath, [main, ...argv], { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let said = "";
  await new Promise((resolve, reject) => {
    const hear = (chunk) => {
      said += chunk;
      if (ready.test(said)) resolve();
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("exit", () => reject(new Error(`Cannot start ${argv[0]}: ${said}`)));
  });
  child.stdout.resume();
  child.stderr.resume();
  return child;
}

async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** The stock default profile over file discovery. */
function epConfig(path) {
  return `apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: file-discovery
  parameters: {path: ${JSON.stringify(path)}}
- type: queue-scorer
- type: kv-cache-utilization-scorer
- type: prefix-cache-scorer
schedulingProfiles:
- name: default
  plugins:
  - {pluginRef: queue-scorer, weight: 2}
  - {pluginRef: kv-cache-utilization-scorer, weight: 2}
  - {pluginRef: prefix-cache-scorer, weight: 3}
dataLayer:
  discovery: {pluginRef: file-discovery}
`;
}

function line({ name, requestsPerSecond, latencyMs, pickerCpuMs, failed }) {
  const { p50, p99 } = latencyMs;
  return `${name}: ${requestsPerSecond.toFixed(0)} requests/s, p50 ${p50} ms, p99 ${p99} ms, picker ${pickerCpuMs.toFixed(2)} ms CPU a request, ${failed} failed`;
}

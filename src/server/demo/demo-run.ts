import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GPU_DEFAULT, MODEL_DEFAULT, writeEndpointsFile } from "../../simulator/pods/start-pods.ts";
import { runMultiTurn, type MultiTurnRun } from "../../simulator/multi-turn-client.ts";
import { percentiles, type Percentiles } from "../../simulator/workloads/multi-turn-summary.ts";
import { PLAYBOOK_DOCUMENT_BYTES, PLAYBOOK_WORKERS } from "../../simulator/workloads/multi-turn.ts";
import { DemoPart } from "./demo-part.ts";
import {
  FLEETS,
  type DemoEvent,
  type DemoResult,
  type DemoSetup,
  type FleetName,
  type FleetResult,
  type PodSample,
} from "./demo-types.ts";
import { startEnvoy } from "./envoy-process.ts";
import { hitRateOf, PodSampler, type SampledPod } from "./pod-sampler.ts";

export interface DemoOptions {
  /** Real seconds a model second. */
  readonly timeScale: number;
  /** Seed of prompts, answers, think times and draws. */
  readonly seed: number;
  /** Envoy's binary; undefined takes the built-in gateway in its place. */
  readonly envoy: string | undefined;
  /** Ends the run; it then rejects. */
  readonly signal: AbortSignal;
  /** Sees what happens, in order. */
  readonly observe: (event: DemoEvent) => void;
}

/** What each side's picker is configured with. */
export const CONFIGS: Readonly<Record<FleetName, string>> = {
  random: `apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: random-picker
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: random-picker
`,
  // The built-in default: prefix cache, queue and KV usage weighed against each other.
  warmpath: "",
};

const PODS_PER_FLEET = 4;
const TURNS = 10;
const REFRESH_METRICS_MS = 50;
const SAMPLE_EVERY_MS = 250;

/** One side: its pods, and the URL that its requests go to. */
interface Fleet {
  readonly name: FleetName;
  readonly sampler: PodSampler;
  readonly picker: DemoPart;
  readonly url: string;
}

/**
 * Runs the demo: two fleets of equal pods, the same conversations at the same time on both. Pods run in one process of
 * their own, each picker in another (and each Envoy in its own), the clients in this one.
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const setup = demoSetup(options);
  const closers: (() => Promise<unknown>)[] = [];
  const folder = await mkdtemp(join(tmpdir(), "warmpath-demo-"));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  try {
    const fleets = await startFleets(options, setup, folder, closers);
    options.observe({ type: "started", setup });
    const startMs = performance.now();
    const runs = await Promise.all(fleets.map((fleet) => runFleet(fleet, options, setup)));
    const wallSeconds = (performance.now() - startMs) / 1000;
    const [random, warmpath] = runs.map(({ result }) => result);
    const pickerMs = { random: runs[0].pickerMs, warmpath: runs[1].pickerMs };
    const { requests, timeScale, seed, via, model, gpu } = setup;
    const result = { random, warmpath, requests, pickerMs, timeScale, seed, via, model, gpu, wallSeconds };
    options.observe({ type: "ended", result });
    return result;
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

function demoSetup({ timeScale, seed, envoy }: DemoOptions): DemoSetup {
  const conversations = PLAYBOOK_DOCUMENT_BYTES.length;
  return {
    model: MODEL_DEFAULT,
    gpu: GPU_DEFAULT,
    podsPerFleet: PODS_PER_FLEET,
    conversations,
    turns: TURNS,
    workers: PLAYBOOK_WORKERS,
    requests: conversations * TURNS,
    timeScale,
    seed,
    via: envoy === undefined ? "gateway" : "envoy",
    refreshMetricsIntervalMs: REFRESH_METRICS_MS,
  };
}

async function startFleets(
  options: DemoOptions,
  { podsPerFleet, timeScale, seed }: DemoSetup,
  folder: string,
  closers: (() => Promise<unknown>)[],
): Promise<Fleet[]> {
  const podsPart = DemoPart.start({ part: "pods", fleets: FLEETS, podsPerFleet, timeScale, seed });
  closers.push(() => podsPart.stop());
  const { fleets } = await podsPart.said("pods");
  return Promise.all(
    FLEETS.map(async (name, i) => {
      const pods = fleets[i].map((pod) => ({ ...pod, host: "127.0.0.1", url: `http://127.0.0.1:${pod.port}` }));
      return startFleet(name, pods, options, join(folder, `${name}.yaml`), closers);
    }),
  );
}

async function startFleet(
  name: FleetName,
  pods: readonly (SampledPod & { readonly host: string; readonly port: number })[],
  { seed, envoy, observe }: DemoOptions,
  endpointsFile: string,
  closers: (() => Promise<unknown>)[],
): Promise<Fleet> {
  await writeEndpointsFile(endpointsFile, pods);
  const picker = DemoPart.start({
    part: "picker",
    config: CONFIGS[name],
    endpointsFile,
    seed,
    serve: envoy === undefined ? "gateway" : "ext-proc",
    refreshMetricsIntervalMs: REFRESH_METRICS_MS,
  });
  closers.push(() => picker.stop());
  picker.observe((message) => {
    if (message.type === "decision") observe({ type: "decision", fleet: name, decision: message.decision });
  });
  let { port } = await picker.said("picker");
  if (envoy !== undefined) {
    const proxy = await startEnvoy(envoy, port);
    closers.push(() => proxy.stop());
    ({ port } = proxy);
  }
  const sampler = new PodSampler(pods);
  closers.push(() => sampler.close());
  return { name, sampler, picker, url: `http://127.0.0.1:${port}` };
}

async function runFleet(
  { name, sampler, picker, url }: Fleet,
  { signal, observe, timeScale, seed }: DemoOptions,
  { model, workers }: DemoSetup,
): Promise<{ readonly result: FleetResult; readonly pickerMs: Percentiles }> {
  const watching = new AbortController();
  const watched = sampler.watch(SAMPLE_EVERY_MS, AbortSignal.any([watching.signal, signal]), (pods) =>
    observe({ type: "sample", fleet: name, pods }),
  );
  const cpuBefore = await picker.cpuMs();
  const pickerMs: number[] = [];
  const run = await runMultiTurn({
    baseUrl: url,
    model,
    workload: { seed, turns: TURNS },
    workers,
    timeScale,
    signal,
    onTurn: ({ ttftMs, wallTtftMs, error }, { done }) => {
      const ownMs = wallTtftMs - (ttftMs ?? 0) * timeScale;
      if (error === undefined) pickerMs.push(ownMs);
      observe({ type: "turn", fleet: name, done, failed: error !== undefined, ttftMs: ttftMs ?? 0, pickerMs: ownMs });
    },
  });
  const cpuMs = (await picker.cpuMs()) - cpuBefore;
  watching.abort();
  await watched;
  const pods = await sampler.look();
  observe({ type: "sample", fleet: name, pods });
  return { result: fleetResult(run, pods, cpuMs), pickerMs: percentiles(pickerMs) };
}

function fleetResult({ summary, wallMs, turns }: MultiTurnRun, pods: readonly PodSample[], cpuMs: number): FleetResult {
  return {
    hitRate: hitRateOf(pods),
    ttftMs: summary.ttftMs,
    failed: summary.failed,
    outputTokens: summary.outputTokens,
    wallSeconds: wallMs / 1000,
    pickerCpuMs: cpuMs / turns.length,
    pods: pods.map((pod) => ({ pod: pod.pod, hitRate: hitRateOf([pod]), requests: pod.requests })),
  };
}

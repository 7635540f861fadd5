import { writeEndpointsFile } from "../../simulator/pods/start-pods.ts";
import { runMultiTurn, type MultiTurnRun } from "../../simulator/multi-turn-client.ts";
import { percentiles, type Percentiles } from "../../simulator/workloads/multi-turn-summary.ts";
import { DemoPart } from "./demo-part.ts";
import type { DemoOptions } from "./demo-run.ts";
import type { DemoSetup, FleetName, FleetResult, PodSample } from "./demo-types.ts";
import { startEnvoy } from "../envoy-process.ts";
import { hitRateOf, PodSampler } from "./pod-sampler.ts";

/** What each side's picker is configured with. */
const CONFIGS: Readonly<Record<FleetName, string>> = {
  random: `apiVersion: llm-d.ai/v1alpha1
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

const SAMPLE_EVERY_MS = 250;
/** Short requests ahead of the run, as in the playbook: connections and compiled code are warm, the documents are not. */
const WARMUPS = 20;

/** One side: its pods, its picker, and the URL that its requests go to. */
export interface Fleet {
  readonly name: FleetName;
  readonly sampler: PodSampler;
  readonly picker: DemoPart;
  readonly url: string;
}

/** Where a fleet's pod is. */
export interface FleetPod {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly url: string;
}

/** Starts a side's picker, its Envoy if there is one, and sends the warm-up. `closers` gets what ends them, in order. */
export async function startFleet(
  name: FleetName,
  pods: readonly FleetPod[],
  endpointsFile: string,
  { seed, envoy, timeScale, signal, observe }: DemoOptions,
  { model, workers, refreshMetricsIntervalMs }: DemoSetup,
  closers: (() => Promise<unknown>)[],
): Promise<Fleet> {
  await writeEndpointsFile(endpointsFile, pods);
  const serve = envoy === undefined ? "gateway" : "ext-proc";
  const config = CONFIGS[name];
  const picker = DemoPart.start({ part: "picker", config, endpointsFile, seed, serve, refreshMetricsIntervalMs });
  closers.push(() => picker.stop());
  let { port } = await picker.said("picker");
  if (envoy !== undefined) {
    const proxy = await startEnvoy(envoy, { extProcPort: port });
    closers.push(() => proxy.stop());
    ({ port } = proxy);
  }
  const sampler = new PodSampler(pods);
  closers.push(() => sampler.close());
  const url = `http://127.0.0.1:${port}`;
  const workload = { seed, documentBytes: [], warmups: WARMUPS };
  const { turns } = await runMultiTurn({ baseUrl: url, model, workload, workers, timeScale, signal });
  const failed = turns.find((turn) => turn.error !== undefined);
  if (failed) throw new Error(`Cannot warm the ${name} fleet up: ${failed.error}`);
  await sampler.zero();
  picker.observe((message) => {
    if (message.type === "decision") observe({ type: "decision", fleet: name, decision: message.decision });
  });
  return { name, sampler, picker, url };
}

/** Plays the conversations against a side and sums it up. */
export async function runFleet(
  { name, sampler, picker, url }: Fleet,
  { signal, observe, timeScale, seed }: DemoOptions,
  { model, workers, turns }: DemoSetup,
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
    workers,
    timeScale,
    signal,
    workload: { seed, turns },
    onTurn: ({ ttftMs = 0, wayMs = 0, error }, { done }) => {
      if (error === undefined) pickerMs.push(wayMs);
      observe({ type: "turn", fleet: name, done, failed: error !== undefined, ttftMs, pickerMs: wayMs });
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

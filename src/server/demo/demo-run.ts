import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GPU_DEFAULT, MODEL_DEFAULT } from "../../simulator/pods/start-pods.ts";
import { PLAYBOOK_DOCUMENT_BYTES, PLAYBOOK_WORKERS } from "../../simulator/workloads/multi-turn.ts";
import { type Fleet, runFleet, startFleet } from "./demo-fleet.ts";
import { DemoPart } from "./demo-part.ts";
import { FLEETS, type DemoEvent, type DemoResult, type DemoSetup } from "./demo-types.ts";

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

const PODS_PER_FLEET = 4;
const TURNS = 10;
const REFRESH_METRICS_MS = 50;

/**
 * Runs the demo: two fleets of equal pods, the same conversations at the same time on both. Pods run in one process of
 * their own, each picker in another (and each Envoy in its own), the clients in this one.
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const setup = demoSetup(options);
  const closers: (() => Promise<unknown>)[] = [];
  try {
    const fleets = await startFleets(options, setup, closers);
    options.observe({ type: "started", setup });
    const startMs = performance.now();
    const [random, warmpath] = await Promise.all(fleets.map((fleet) => runFleet(fleet, options, setup)));
    const wallSeconds = (performance.now() - startMs) / 1000;
    const { requests, timeScale, seed, via, model, gpu } = setup;
    const result = {
      random: random.result,
      warmpath: warmpath.result,
      requests,
      pickerMs: { random: random.pickerMs, warmpath: warmpath.pickerMs },
      timeScale,
      seed,
      via,
      model,
      gpu,
      wallSeconds,
    };
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
  setup: DemoSetup,
  closers: (() => Promise<unknown>)[],
): Promise<readonly Fleet[]> {
  const folder = await mkdtemp(join(tmpdir(), "warmpath-demo-"));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const { podsPerFleet, timeScale, seed } = setup;
  const podsPart = DemoPart.start({ part: "pods", fleets: FLEETS, podsPerFleet, timeScale, seed });
  closers.push(() => podsPart.stop());
  const { fleets } = await podsPart.said("pods");
  const host = "127.0.0.1";
  const starting = FLEETS.map((name, i) => {
    const pods = fleets[i].map((pod) => ({ ...pod, host, url: `http://${host}:${pod.port}` }));
    return startFleet(name, pods, join(folder, `${name}.yaml`), options, setup, closers);
  });
  // When one side can't start, the other must have settled before both are closed.
  await Promise.allSettled(starting);
  return Promise.all(starting);
}

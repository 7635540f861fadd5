import { once } from "node:events";
import { viewDecision } from "../../observability/decision-view.ts";
import { startPods } from "../../simulator/pods/start-pods.ts";
import type { CoreDriver } from "../core-driver.ts";
import { startExtProcServer } from "../ext-proc-server.ts";
import { startGateway } from "../gateway.ts";
import { startLivePool } from "../live-pool.ts";
import { readingPlanOf } from "../reading-plan.ts";
import type { PartMessage, PartRequest, PartSetup } from "./demo-part.ts";

interface RunningPart {
  stop(): Promise<void>;
}

/** The other end of `DemoPart`: does what its parent says, until it is told to stop or the parent is gone. */
export async function runDemoPart(): Promise<number> {
  if (!process.send) {
    process.stderr.write("Cannot run a part of the demo: it is started by the demo itself. See warmpath demo --help\n");
    return 2;
  }
  const [setup] = (await once(process, "message")) as [PartSetup];
  let running: RunningPart;
  try {
    running = setup.part === "pods" ? await runPods(setup) : await runPicker(setup);
  } catch (error) {
    say({ type: "failed", message: error instanceof Error ? error.message : String(error) });
    return 1;
  }
  await new Promise<void>((resolve) => {
    process.once("disconnect", resolve);
    // Ctrl-C reaches the whole process group: the parent decides when the parts end.
    process.on("SIGINT", () => undefined);
    process.on("message", (request: PartRequest) => {
      if (request.type === "stop") resolve();
      else say({ type: "cpu", cpuMs: cpuMs() });
    });
  });
  await running.stop();
  if (process.connected) process.disconnect();
  return 0;
}

const say = (message: PartMessage): void => void process.send?.(message);

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function runPods(setup: Extract<PartSetup, { part: "pods" }>): Promise<RunningPart> {
  const { podsPerFleet: count, timeScale, seed } = setup;
  const fleets = await Promise.all(setup.fleets.map(() => startPods({ count, timeScale, seed })));
  say({ type: "pods", fleets: fleets.map(({ pods }) => pods.map(({ name, port }) => ({ name, port }))) });
  return { stop: async () => void (await Promise.all(fleets.map((fleet) => fleet.stop()))) };
}

async function runPicker(setup: Extract<PartSetup, { part: "picker" }>): Promise<RunningPart> {
  const pool = await startLivePool({
    source: { text: setup.config, options: {} },
    seed: setup.seed,
    endpointsFile: setup.endpointsFile,
    refreshMetricsIntervalMs: setup.refreshMetricsIntervalMs,
    problem: (message) => process.stderr.write(`${message}\n`),
  });
  pool.driver.observe((notice) => {
    if (notice.type === "decision") say({ type: "decision", decision: viewDecision(notice.decision) });
  });
  const stopServer = await serve(setup.serve, pool.driver);
  return {
    stop: async () => {
      await stopServer();
      await pool.stop();
    },
  };
}

/** Takes requests from clients, or questions from Envoy. Gives what ends it. */
async function serve(as: "gateway" | "ext-proc", driver: CoreDriver): Promise<() => Promise<unknown>> {
  const host = "127.0.0.1";
  if (as === "gateway") {
    const gateway = await startGateway({ driver, host, port: 0 });
    say({ type: "picker", port: gateway.port });
    return () => gateway.stop(0);
  }
  const server = await startExtProcServer({ picker: driver, plan: readingPlanOf(driver), host, port: 0 });
  say({ type: "picker", port: server.port });
  return () => server.stop();
}

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { startCommand, type RunningCommand } from "./command.ts";
import { startEnvoy, type RunningEnvoy } from "./envoy.ts";
import { freePorts } from "./free-ports.ts";
import { HttpPod } from "./http-pod.ts";

/** Envoy, `warmpath epp` as a process, and an HTTP server of the test's in the pod's place. */
export interface PickerProcess {
  readonly url: string;
  readonly pod: HttpPod;
  readonly epp: RunningCommand;
  readonly envoy: RunningEnvoy;
  readonly folder: string;
  readonly metricsUrl: string;
  /** Stops the picker as a rollout does; gives its exit status. */
  stop(): Promise<number | string>;
}

/** Starts them for the test that runs. `config`: plugins and profiles, `plugins:` first. */
export async function startPickerProcess(options: {
  readonly answer: HttpPod["answer"];
  readonly config: string;
  readonly flags?: readonly string[] | ((folder: string) => readonly string[]);
  readonly env?: Readonly<Record<string, string>>;
}): Promise<PickerProcess> {
  const folder = mkdtempSync(join(tmpdir(), "warmpath-picker-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const pod = await HttpPod.start(options.answer);
  onTestFinished(() => pod.stop());
  const [address, port] = pod.target.split(":");
  const endpointsFile = join(folder, "endpoints.yaml");
  writeFileSync(endpointsFile, `endpoints:\n- {name: a, namespace: default, address: ${address}, port: "${port}"}\n`);
  const discovery = `- type: file-discovery\n  parameters: {path: ${JSON.stringify(endpointsFile)}}\n`;
  const configFile = join(folder, "config.yaml");
  writeFileSync(
    configFile,
    options.config.replace("plugins:\n", `plugins:\n${discovery}`) +
      "dataLayer:\n  discovery: {pluginRef: file-discovery}\n",
  );
  const [grpcPort, healthPort, metricsPort] = await freePorts(3);
  const ports = ["--grpc-port", grpcPort, "--grpc-health-port", healthPort, "--metrics-port", metricsPort].map(String);
  const flags = typeof options.flags === "function" ? options.flags(folder) : (options.flags ?? []);
  const always = ["--pool-name=pool", "--secure-serving=false", "--seed=1", "--drain-timeout=0s"];
  const epp = startCommand(["epp", "--config-file", configFile, ...always, ...ports, ...flags], options.env);
  await epp.line('"serving"');
  const envoy = await startEnvoy({ extProcPort: grpcPort });
  onTestFinished(() => envoy.stop());
  return {
    url: `http://127.0.0.1:${envoy.port}`,
    pod,
    epp,
    envoy,
    folder,
    metricsUrl: `http://127.0.0.1:${metricsPort}`,
    stop() {
      epp.child.kill("SIGTERM");
      return epp.exit;
    },
  };
}

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { startPods, writeEndpointsFile, type PodFleet, type PodsOptions } from "../../src/simulator/pods/start-pods.ts";
import { startCommand, type RunningCommand } from "./command.ts";
import { freePorts } from "./free-ports.ts";
import { startEnvoy, type EnvoyOptions, type RunningEnvoy } from "./envoy.ts";

/** The real things, all of them: simulated pods, `warmpath epp` as a process, Envoy in front. */
export interface Stack {
  readonly url: string;
  readonly pods: PodFleet["pods"];
  readonly epp: RunningCommand;
  readonly envoy: RunningEnvoy;
  readonly folder: string;
  readonly endpointsFile: string;
  /** The picker's metrics page. */
  readonly metricsUrl: string;
  /** Value of a series on the picker's metrics page; 0 when it is not there. */
  metric(series: string): Promise<number>;
  /** Sets what a pod does wrong. */
  fault(pod: number, faults: object): Promise<void>;
  /** Waits until the picker holds no request and no reservation; so many plugin calls may have failed (default 0). */
  untilQuiet(expected?: { readonly pluginFailures: number }): Promise<void>;
}

export interface StackOptions {
  readonly pods?: PodsOptions;
  /** Further flags of `epp`, or what makes them of the stack's folder. */
  readonly flags?: readonly string[] | ((folder: string) => readonly string[]);
  /** Further environment of `epp`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly envoy?: Partial<EnvoyOptions>;
  /** True to have changes of the endpoints file followed. */
  readonly watchFile?: boolean;
  /** Plugins and profiles in the place of the stack's own, without discovery; `plugins:` comes first. */
  readonly config?: string;
}

/** Counts in-flight load as well, so that a reservation that is not given back can be seen. */
const config = (endpointsFile: string, watchFile: boolean) => `
plugins:
- type: file-discovery
  parameters: {path: ${JSON.stringify(endpointsFile)}, watchFile: ${watchFile}}
- type: queue-scorer
- type: kv-cache-utilization-scorer
- type: prefix-cache-scorer
- type: active-request-scorer
- type: inflight-load-producer
schedulingProfiles:
- name: default
  plugins:
  - {pluginRef: queue-scorer, weight: 2}
  - {pluginRef: kv-cache-utilization-scorer, weight: 2}
  - {pluginRef: prefix-cache-scorer, weight: 3}
  - {pluginRef: active-request-scorer, weight: 1}
dataLayer:
  discovery: {pluginRef: file-discovery}
`;

/** A test's own config with the discovery of the stack's pods. */
const withDiscovery = (own: string, endpointsFile: string, watchFile: boolean) =>
  own.replace(
    /^plugins:\n/m,
    `plugins:\n- type: file-discovery\n  parameters: {path: ${JSON.stringify(endpointsFile)}, watchFile: ${watchFile}}\n`,
  ) + "dataLayer:\n  discovery: {pluginRef: file-discovery}\n";

/** Starts a stack for the test that runs; it is taken down when the test ends. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const folder = mkdtempSync(join(tmpdir(), "warmpath-stack-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const fleet = await startPods({ count: 3, timeScale: 0, ...options.pods });
  onTestFinished(() => fleet.stop());
  const endpointsFile = join(folder, "endpoints.yaml");
  await writeEndpointsFile(endpointsFile, fleet.pods);
  const configFile = join(folder, "config.yaml");
  const watchFile = options.watchFile ?? false;
  const text = options.config
    ? withDiscovery(options.config, endpointsFile, watchFile)
    : config(endpointsFile, watchFile);
  writeFileSync(configFile, text);
  const [grpcPort, healthPort, metricsPort] = await freePorts(3);
  const flags = ["--config-file", configFile, "--pool-name", "pool", "--tracing=false", "--seed", "1"];
  const ports = ["--grpc-port", grpcPort, "--grpc-health-port", healthPort, "--metrics-port", metricsPort].map(String);
  const secure = options.envoy?.tls ? [] : ["--secure-serving=false"];
  const more = typeof options.flags === "function" ? options.flags(folder) : (options.flags ?? []);
  const epp = startCommand(["epp", ...flags, ...ports, ...secure, "--drain-timeout=0s", ...more], options.env);
  await epp.line('"serving"');
  const envoy = await startEnvoy({ extProcPort: grpcPort, ...options.envoy });
  onTestFinished(() => envoy.stop());
  const metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
  const metric = async (series: string) => {
    const page = await (await fetch(metricsUrl)).text();
    const wanted = withSortedLabels(series);
    const line = page.split("\n").find((candidate) => withSortedLabels(candidate.replace(/ \S+$/, "")) === wanted);
    return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(" ") + 1));
  };
  // The page is there once a pod was scraped.
  await expect.poll(() => metric('llm_d_epp_ready_endpoints{name="pool"}'), { timeout: 5000 }).toBe(fleet.pods.length);
  return {
    url: `http://127.0.0.1:${envoy.port}`,
    pods: fleet.pods,
    epp,
    envoy,
    folder,
    endpointsFile,
    metricsUrl,
    metric,
    async fault(pod, faults) {
      const response = await fetch(`${fleet.pods[pod].url}/sim/faults`, {
        method: "POST",
        body: JSON.stringify(faults),
      });
      expect(response.status).toBe(200);
    },
    async untilQuiet({ pluginFailures } = { pluginFailures: 0 }) {
      await expect.poll(() => metric("warmpath_requests_in_flight"), { timeout: 10_000 }).toBe(0);
      for (const gauge of ["inflight_requests", "inflight_tokens"]) {
        const series = `warmpath_plugin_gauge{plugin_name="inflight-load-producer",gauge="${gauge}"}`;
        expect(await metric(series)).toBe(0);
      }
      expect(await metric("warmpath_plugin_failures_total")).toBe(pluginFailures);
    },
  };
}

/** A series with its labels in order of their names, as they may be told in any. */
const withSortedLabels = (series: string): string =>
  series.replace(
    /\{(.*)\}$/,
    (_, labels: string) => `{${[...labels.matchAll(/\w+="[^"]*"/g)].map(String).toSorted().join(",")}}`,
  );

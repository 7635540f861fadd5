import type { ReadFlags } from "./epp-flag-reader.ts";
import { parseLabelSelector } from "../plugins/filters/label-selector-text.ts";
import { didYouMean } from "./did-you-mean.ts";
import type { EppFlags, ParsedEppFlags } from "./epp-flags.ts";
import { PORT_MAX } from "./flag-kinds.ts";
import { TLS_CIPHER_SUITES } from "./tls-cipher-suites.ts";

type Env = Readonly<Record<string, string | undefined>>;

const REFRESH_INTERVAL_US_MIN = 50_000;
const TARGET_PORTS_MAX = 8;
const VERBOSITY = 2;
const OLD_POOL_GROUP = "inference.networking.x-k8s.io";

/** Environment of older releases that changes nothing any more (`spec/epp-core.md` 3.3), with what stands for it. */
const RETIRED_ENV: Readonly<Record<string, string>> = {
  ENABLE_EXPERIMENTAL_DATALAYER_V2: "the data layer is always on",
  ENABLE_EXPERIMENTAL_FLOW_CONTROL_LAYER: "use the feature gate flowControl of the config",
  SD_QUEUE_DEPTH_THRESHOLD: "use queueDepthThreshold of utilization-detector in the config",
  SD_KV_CACHE_UTIL_THRESHOLD: "use kvCacheUtilThreshold of utilization-detector in the config",
  SD_METRICS_STALENESS_THRESHOLD: "use metricsStalenessThreshold of utilization-detector in the config",
  KV_CACHE_THRESHOLD: "use a config",
  QUEUE_THRESHOLD_CRITICAL: "use a config",
  QUEUING_THRESHOLD_LORA: "use a config",
  LORA_AFFINITY_THRESHOLD: "use a config",
};

/**
 * Checks what single flags can't tell, and fills in what the environment gives (`spec/epp-core.md` 3.1, 3.3): with
 * --endpoint-selector the pool is named after the Deployment, which $POD_NAME tells.
 */
export function checkEppFlags(flags: EppFlags, read: ReadFlags, env: Env): ParsedEppFlags {
  const errors: string[] = [...read.laterErrors];
  const warnings: string[] = [...read.warnings];
  const poolName = readPoolName(flags, env, errors);
  if (flags.configFile !== "" && flags.configText !== "") {
    errors.push("Cannot use both --config-file and --config-text: found both, expected at most one");
  }
  if (flags.metricsClientCaFile !== "" && flags.metricsCertDir === "") {
    errors.push("Cannot use flag --metrics-client-ca-file: found no --metrics-cert-dir, expected it too");
  }
  if (flags.metricsCertDir !== "" && !flags.metricsEndpointAuth && flags.metricsClientCaFile === "") {
    errors.push(
      "Cannot use flag --metrics-cert-dir: expected --metrics-endpoint-auth or --metrics-client-ca-file with it",
    );
  }
  errors.push(...unknownCipherSuites(flags.tlsCipherSuites));
  if (errors.length > 0) return { ok: false, errors, exitCode: 1 };
  const refreshMetricsIntervalUs = Math.max(REFRESH_INTERVAL_US_MIN, flags.refreshMetricsIntervalUs);
  if (refreshMetricsIntervalUs !== flags.refreshMetricsIntervalUs) {
    warnings.push("--refresh-metrics-interval is raised to 50ms, the shortest that is allowed");
  }
  if (flags.poolGroup === OLD_POOL_GROUP) {
    warnings.push(`--pool-group ${OLD_POOL_GROUP} is the group of older releases; today's is the default`);
  }
  for (const [name, instead] of Object.entries(RETIRED_ENV)) {
    if (env[name]) warnings.push(`$${name} has no effect: ${instead}`);
  }
  const poolNamespace = flags.poolNamespace || env.NAMESPACE || "default";
  const kubeconfig = flags.kubeconfig || env.KUBECONFIG || "";
  const filled = { poolName, poolNamespace, kubeconfig, verbosity: readVerbosity(flags), refreshMetricsIntervalUs };
  return { ok: true, flags: { ...flags, ...filled }, warnings, unknown: read.unknown };
}

function unknownCipherSuites(names: readonly string[]): readonly string[] {
  const unknown = names.filter((name) => !TLS_CIPHER_SUITES.includes(name));
  return unknown.map((name) => {
    const meant = didYouMean(name, TLS_CIPHER_SUITES);
    const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
    return `Cannot use flag --tls-cipher-suites: found ${JSON.stringify(name)}, expected Go's names of cipher suites${hint}`;
  });
}

/** The zap level counts before -v; error and panic are as quiet as it gets. */
function readVerbosity({ verbosity, zapLogLevel }: EppFlags): number {
  if (zapLogLevel === "") return verbosity < 0 ? VERBOSITY : verbosity;
  if (/^debug$/i.test(zapLogLevel)) return 1;
  return /^[a-z]/i.test(zapLogLevel) ? 0 : Number(zapLogLevel);
}

function readPoolName(flags: EppFlags, env: Env, errors: string[]): string {
  const { poolName, endpointSelector, endpointTargetPorts } = flags;
  if ((poolName === "") === (endpointSelector === "")) {
    const found = poolName === "" ? "neither" : "both";
    errors.push(`Cannot find the pool: either pool-name or endpoint-selector must be set; found ${found}`);
  }
  if (poolName !== "" || endpointSelector === "") return poolName;
  const selector = parseLabelSelector(endpointSelector);
  if ("failed" in selector) {
    errors.push(`Cannot use flag --endpoint-selector: ${selector.failed} in ${JSON.stringify(endpointSelector)}`);
  }
  const count = endpointTargetPorts.length;
  if (count < 1 || count > TARGET_PORTS_MAX) {
    errors.push(
      `Cannot use --endpoint-selector: found ${count} --endpoint-target-ports, expected 1 to ${TARGET_PORTS_MAX}`,
    );
  }
  const wrong = endpointTargetPorts.filter((port) => port < 0 || port > PORT_MAX);
  if (wrong.length > 0) {
    errors.push(
      `Cannot use --endpoint-selector: found ${wrong.join(", ")} in --endpoint-target-ports, expected ports from 0 to ${PORT_MAX}`,
    );
  }
  const deployment = /^(.+)-[a-z0-9]+-[a-z0-9]+$/.exec(env.POD_NAME ?? "")?.[1];
  if (deployment === undefined) {
    const found = env.POD_NAME === undefined ? "nothing" : JSON.stringify(env.POD_NAME);
    errors.push(`Cannot use --endpoint-selector: found ${found} in $POD_NAME, expected a pod name of a Deployment`);
  }
  return deployment ?? "";
}

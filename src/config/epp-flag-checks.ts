import type { EppFlags, ParsedEppFlags } from "./epp-flags.ts";

const REFRESH_INTERVAL_US_MIN = 50_000;
const TARGET_PORTS_MAX = 8;
const VERBOSITY = 2;

/**
 * Checks what single flags can't tell, and fills in what the environment gives (`spec/epp-core.md` 3.1, 3.3): with
 * --endpoint-selector the pool is named after the Deployment, which $POD_NAME tells.
 */
export function checkEppFlags(
  flags: EppFlags,
  refused: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ParsedEppFlags {
  const errors: string[] = refused.map(
    (name) => `Cannot use flag --${name}: metrics are named by engineConfigs of core-metrics-extractor in the config`,
  );
  const warnings: string[] = [];
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
  if (errors.length > 0) return { ok: false, errors, exitCode: 1 };
  const refreshMetricsIntervalUs = Math.max(REFRESH_INTERVAL_US_MIN, flags.refreshMetricsIntervalUs);
  if (refreshMetricsIntervalUs !== flags.refreshMetricsIntervalUs) {
    warnings.push("--refresh-metrics-interval is raised to 50ms, the shortest that is allowed");
  }
  const poolNamespace = flags.poolNamespace || env.NAMESPACE || "default";
  const verbosity = flags.verbosity < 0 ? VERBOSITY : flags.verbosity;
  return { ok: true, flags: { ...flags, poolName, poolNamespace, verbosity, refreshMetricsIntervalUs }, warnings };
}

function readPoolName(flags: EppFlags, env: Readonly<Record<string, string | undefined>>, errors: string[]): string {
  const { poolName, endpointSelector, endpointTargetPorts } = flags;
  if ((poolName === "") === (endpointSelector === "")) {
    const found = poolName === "" ? "neither" : "both";
    errors.push(`Cannot find the pool: either pool-name or endpoint-selector must be set; found ${found}`);
  }
  if (poolName !== "" || endpointSelector === "") return poolName;
  const count = endpointTargetPorts.length;
  if (count < 1 || count > TARGET_PORTS_MAX) {
    errors.push(
      `Cannot use --endpoint-selector: found ${count} --endpoint-target-ports, expected 1 to ${TARGET_PORTS_MAX}`,
    );
  }
  const deployment = /^(.+)-[a-z0-9]+-[a-z0-9]+$/.exec(env.POD_NAME ?? "")?.[1];
  if (deployment === undefined) {
    const found = env.POD_NAME === undefined ? "nothing" : JSON.stringify(env.POD_NAME);
    errors.push(`Cannot use --endpoint-selector: found ${found} in $POD_NAME, expected a pod name of a Deployment`);
  }
  return deployment ?? "";
}

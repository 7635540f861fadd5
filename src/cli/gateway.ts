import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { Logger } from "pino";
import type { ConfigSource } from "../core/events.ts";
import { createLog } from "../observability/log.ts";
import { startMetricsServer } from "../observability/metrics-server.ts";
import { createPickerMetrics } from "../observability/picker-metrics.ts";
import { registerPoolMetrics } from "../observability/pool-metrics.ts";
import type { GatewayLimits } from "../server/gateway-limits.ts";
import { type Gateway, startGateway } from "../server/gateway.ts";
import { startLivePool } from "../server/live-pool.ts";
import type { Command } from "./command.ts";
import { type GatewayArgs, gatewayFlagsHelp, parseGatewayArgs } from "./gateway-args.ts";
import { observerFailure } from "./observer-failure.ts";

const help = `
warmpath gateway [flags]

An HTTP reverse proxy with the picker inside, for laptops and bare metal: no Envoy, no Kubernetes. It reads each
request's prompt, sends it to the pod whose KV cache most likely holds its beginning (or whatever the config weighs),
and passes the answer on as it comes. Requests without a body go to any pod. A pod that takes no connection, or dies
before the first byte of its answer, costs a retry on another one; later the client's stream is broken off.

${gatewayFlagsHelp()}

SIGTERM or SIGINT: takes no more connections, lets running requests end, ends. A second one ends it at once.
Exit status: 0 stopped with nothing lost, 1 it could not start or broke requests off, 2 wrong use.

Examples
  warmpath pods --count 4 --write-endpoints endpoints.yaml &
  warmpath gateway --endpoints endpoints.yaml
  curl localhost:8080/v1/chat/completions -d '{"model": "Qwen3-0.6B", "messages": [{"role": "user", "content": "Hi"}]}'
  warmpath gateway --config-file config.yaml --host 0.0.0.0 --port 80 --metrics-port 9090
`;

/** `warmpath gateway`. */
export const gatewayCommand: Command = {
  name: "gateway",
  summary: "an HTTP reverse proxy with the picker inside",
  help,
  run,
};

const SEED_END = 2 ** 32;
/** Age at which a pod's signals no longer count for the pool's gauges. */
const FRESH_WITHIN_US = 2_000_000;

async function run(argv: readonly string[]): Promise<number> {
  const args = parseGatewayArgs(argv);
  if ("problems" in args) {
    for (const problem of args.problems) process.stderr.write(`Cannot start the gateway: ${problem}\n`);
    process.stderr.write("See warmpath gateway --help\n");
    return 2;
  }
  const log = createLog(args.verbosity);
  // Listened for before anything starts: a signal that comes early must not be lost.
  const signalled = Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]) as Promise<unknown[]>;
  let stop: () => Promise<number>;
  try {
    stop = await start(args, log);
  } catch (error) {
    log.fatal(`Cannot start the gateway: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
  const [signal] = await signalled;
  for (const again of ["SIGTERM", "SIGINT"] as const) process.once(again, () => process.exit(1));
  log.info({ signal }, "draining");
  const broken = await stop();
  if (broken > 0) log.error(`Cannot drain in time: ${broken} requests were broken off`);
  log.info("stopped");
  return broken === 0 ? 0 : 1;
}

/** Starts everything. Gives what stops it, and how many requests that broke off. */
async function start(args: GatewayArgs, log: Logger): Promise<() => Promise<number>> {
  const seed = args.seed >= 0 ? args.seed : randomInt(SEED_END);
  const { host } = args;
  const metered = createPickerMetrics();
  const pool = await startLivePool({
    probe: metered.probe,
    source: await configSource(args),
    seed,
    limits: { prefixIndexBytesMax: args.prefixIndexBytesMax },
    ...(args.endpoints && { endpointsFile: args.endpoints }),
    refreshMetricsIntervalMs: args.refreshMetricsIntervalUs / 1000,
    problem: (message) => log.warn(message),
  });
  const closers: (() => Promise<unknown>)[] = [() => pool.stop()];
  const close = async (): Promise<void> => {
    for (const closer of closers.reverse()) await closer();
  };
  let gateway: Gateway | undefined;
  try {
    metered.attach(pool.driver);
    const serving = await startGateway({
      driver: pool.driver,
      openMeters: () => [metered.exchanges.open()],
      observerFailed: observerFailure(log),
      host,
      port: args.port,
      rewrite: args.rewrite,
      limits: limitsOf(args),
      attemptFailed: (target, { kind, message }) => log.warn({ target, kind }, `Cannot get an answer: ${message}`),
    });
    gateway = serving;
    if (args.metricsPort > 0) {
      registerPoolMetrics({
        registry: metered.registry,
        driver: pool.driver,
        poolName: "gateway",
        freshWithinUs: FRESH_WITHIN_US,
        streamCount: () => serving.requestCount,
        bodyBytesInFlight: () => serving.bodyBytesInFlight,
      });
      const metrics = await startMetricsServer(metered.registry, { host, port: args.metricsPort });
      closers.push(() => metrics.stop());
    }
    log.info({ seed, host, port: serving.port, endpoints: pool.driver.core.endpoints.size }, "serving");
    return async () => {
      const broken = await serving.stop(args.drainTimeoutUs / 1000);
      await close();
      return broken;
    };
  } catch (error) {
    await gateway?.stop(0);
    await close();
    throw error;
  }
}

async function configSource({ configFile, configText, allowExperimentalPlugins }: GatewayArgs): Promise<ConfigSource> {
  const text = configFile === "" ? configText : await readFile(configFile, "utf8");
  return {
    text,
    options: {
      ...(configFile && { "config-file": configFile }),
      "allow-experimental-plugins": allowExperimentalPlugins,
    },
  };
}

const limitsOf = (args: GatewayArgs): GatewayLimits => ({
  connectionsMax: args.connectionsMax,
  requestsMax: args.requestsMax,
  bodyBytesMax: args.bodyBytesMax,
  bodyBytesInFlightMax: args.bodyBytesInFlightMax,
  headerBytesMax: args.headerBytesMax,
  headersTimeoutMs: args.headersTimeoutUs / 1000,
  requestTimeoutMs: args.requestTimeoutUs / 1000,
  keepAliveTimeoutMs: args.keepAliveTimeoutUs / 1000,
  connectTimeoutMs: args.connectTimeoutUs / 1000,
  responseHeadersTimeoutMs: args.responseHeadersTimeoutUs / 1000,
  responseIdleTimeoutMs: args.responseIdleTimeoutUs / 1000,
  retriesMax: args.retriesMax,
});

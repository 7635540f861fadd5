import { randomInt } from "node:crypto";
import { once } from "node:events";
import type { Logger } from "pino";
import { eppHelp, eppOldHelp } from "../config/epp-flag-help.ts";
import { parseEppFlags } from "../config/epp-flags.ts";
import type { EppFlags } from "../config/epp-flags.ts";
import { DEFAULT_CORE_LIMITS } from "../core/core-limits.ts";
import { readBuildInfo, registerBuildInfo } from "../observability/build-info.ts";
import { registerDataLayerErrors } from "../observability/data-layer-errors.ts";
import { EventRecorder } from "../observability/event-recorder.ts";
import { createLog } from "../observability/log.ts";
import { startMetricsServer } from "../observability/metrics-server.ts";
import { createPickerMetrics, type PickerMetrics } from "../observability/picker-metrics.ts";
import { registerPoolMetrics } from "../observability/pool-metrics.ts";
import type { ExtProcServer } from "../server/ext-proc-server.ts";
import { startExtProcServer } from "../server/ext-proc-server.ts";
import type { LivePool } from "../server/live-pool.ts";
import { startLivePool } from "../server/live-pool.ts";
import { readingPlanOf } from "../server/reading-plan.ts";
import type { TlsSource } from "../server/tls.ts";
import { directoryTls, selfSignedTls } from "../server/tls.ts";
import type { Command } from "./command.ts";
import { configSource } from "./config-source.ts";
import { eppObservers, type EppObservers } from "./epp-observers.ts";
import { observerFailure } from "./observer-failure.ts";

const SEED_END = 2 ** 32;
/** Longest x-request-id in the log; more is cut off. */
const LOGGED_CHARS_MAX = 256;
/** Most bytes of an event log. */
const RECORD_BYTES_MAX = 16 * 1024 ** 3;

/** `warmpath epp`: the picker behind Envoy, with the stock EPP's command line. */
export const eppCommand: Command = {
  name: "epp",
  summary: "the Endpoint Picker: answers Envoy over ext_proc",
  help: eppHelp(),
  run,
};

async function run(argv: readonly string[]): Promise<number> {
  if (argv.includes("--help-old")) {
    process.stdout.write(eppOldHelp());
    return 0;
  }
  const parsed = parseEppFlags(argv, process.env);
  if (!parsed.ok) {
    process.stderr.write(`${parsed.errors.join("\n")}\nSee warmpath epp --help\n`);
    return parsed.exitCode;
  }
  const { flags, warnings, unknown } = parsed;
  const log = createLog(flags.verbosity);
  for (const warning of [...warnings, ...withoutEffect(flags)]) log.warn(warning);
  // Users look for this line; a config text may be long and may hold what nobody should read.
  const { configText, ...shown } = flags;
  log.info({ flags: { ...shown, configTextChars: configText.length } }, "Flags processed");
  let running: Running;
  try {
    running = await start(flags, unknown.length, log);
  } catch (error) {
    log.fatal(`Cannot start: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
  const [signal] = (await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")])) as unknown[];
  // As stock: a second signal ends it at once.
  for (const again of ["SIGTERM", "SIGINT"] as const) process.once(again, () => process.exit(1));
  log.info({ signal }, "draining");
  await running.drain();
  log.info("stopped");
  return 0;
}

/** Flags that are taken and do nothing yet: who sets them should know. */
function withoutEffect(flags: EppFlags): readonly string[] {
  const set = {
    "ha-enable-leader-election": flags.haEnableLeaderElection,
    kubeconfig: flags.kubeconfig !== "" && flags.kubeconfig !== process.env.KUBECONFIG,
    "endpoint-selector": flags.endpointSelector !== "",
    "tls-min-version": flags.tlsMinVersion !== "",
    "tls-cipher-suites": flags.tlsCipherSuites.length > 0,
    "metrics-cert-dir": flags.metricsCertDir !== "",
  };
  const names = Object.entries(set).flatMap(([name, isSet]) => (isSet ? [name] : []));
  return names.map((name) => `--${name} has no effect yet`);
}

interface Running {
  /** Serves on for the drain timeout, then stops everything. */
  drain(): Promise<void>;
}

async function start(flags: EppFlags, unknownFlagCount: number, log: Logger): Promise<Running> {
  const seed = flags.seed >= 0 ? flags.seed : randomInt(SEED_END);
  const source = await configSource(flags);
  const limits = { ...DEFAULT_CORE_LIMITS, prefixIndexBytesMax: flags.prefixIndexBytesMax };
  const recorder = flags.recordEvents
    ? new EventRecorder({
        path: flags.recordEvents,
        seed,
        limits,
        recordBytesMax: RECORD_BYTES_MAX,
        problem: (message) => log.error(message),
      })
    : undefined;
  const metered = createPickerMetrics();
  const observers = await eppObservers(flags, process.env, metered, log);
  const pool = await startLivePool({
    source,
    seed,
    limits,
    probe: observers.probe,
    refreshMetricsIntervalMs: flags.refreshMetricsIntervalUs / 1000,
    ...(recorder && { record: (event, number) => recorder.record(event, number) }),
    problem: (message) => log.warn(message),
  });
  const closers: (() => unknown)[] = [() => observers.stop(), () => pool.stop(), () => endRecord(recorder, pool)];
  const close = async (): Promise<void> => {
    for (const closer of closers.reverse()) await closer();
  };
  let extProc: ExtProcServer | undefined;
  try {
    observers.attach(pool.driver);
    const serving = await startServer(flags, log, pool, observers, closers);
    extProc = serving;
    const metrics = await startMetrics(flags, unknownFlagCount, pool, metered, serving);
    const { port: grpcPort, healthPort } = serving;
    log.info({ seed, grpcPort, healthPort, metricsPort: metrics.port }, "serving");
    return {
      async drain() {
        // As stock, the metrics page goes first.
        await metrics.stop();
        await serving.drain();
        await close();
      },
    };
  } catch (error) {
    // What runs on would keep the process from ending.
    await extProc?.stop();
    await close();
    throw error;
  }
}

/** Starts the ext_proc server; what else has to be closed after it goes to `closers`. */
async function startServer(
  flags: EppFlags,
  log: Logger,
  pool: LivePool,
  observers: EppObservers,
  closers: (() => unknown)[],
): Promise<ExtProcServer> {
  const tls = await tlsSource(flags, log);
  closers.push(() => tls?.close());
  return startExtProcServer({
    picker: pool.driver,
    plan: readingPlanOf(pool.driver),
    port: flags.grpcPort,
    healthPort: flags.grpcHealthPort,
    ...(tls && { tls }),
    rewrite: flags.rewrite,
    removesClientHeaders: flags.removeClientHeaders,
    joinsSplitUsage: flags.joinSplitUsage,
    emitEndpointScores: flags.emitEndpointScores,
    limits: serverLimits(flags),
    openMeters: () => observers.openMeters(),
    ...(observers.openStream && { openStream: observers.openStream }),
    probe: observers.probe,
    drainTimeoutMs: flags.drainTimeoutUs / 1000,
    failed: (error, requestId) => log.error({ err: error, ...streamName(requestId) }, "a stream failed"),
    observerFailed: observerFailure(log),
  });
}

function startMetrics(
  flags: EppFlags,
  unknownFlagCount: number,
  pool: LivePool,
  { registry }: PickerMetrics,
  extProc: ExtProcServer,
) {
  registerPoolMetrics({
    registry,
    driver: pool.driver,
    poolName: flags.poolName,
    unknownFlagCount,
    freshWithinUs: flags.metricsStalenessThresholdUs,
    streamCount: () => extProc.streamCount,
    bodyBytesInFlight: () => extProc.bodyBytesInFlight,
  });
  registerDataLayerErrors(registry, pool.scrapers);
  registerBuildInfo(registry, readBuildInfo());
  const debug = { plan: () => pool.driver.core.plan, pprof: flags.enablePprof };
  return startMetricsServer(registry, { host: "0.0.0.0", port: flags.metricsPort, debug });
}

async function tlsSource(flags: EppFlags, log: Logger): Promise<TlsSource | undefined> {
  if (!flags.secureServing) return undefined;
  if (!flags.certPath) return selfSignedTls();
  return directoryTls(flags.certPath, {
    reload: flags.enableCertReload,
    onReload: (error) => {
      if (error) log.error(`Cannot take the new certificate, the old one stays: ${error.message}`);
      else log.info("certificate read again");
    },
  });
}

const streamName = (requestId: string | undefined) =>
  requestId === undefined ? {} : { "x-request-id": requestId.slice(0, LOGGED_CHARS_MAX) };

const serverLimits = (flags: EppFlags) => ({
  bodyBytesMax: flags.bodyBytesMax,
  bodyBytesInFlightMax: flags.bodyBytesInFlightMax,
  ...(flags.grpcMaxRecvMsgBytes > 0 && { receiveBytesMax: flags.grpcMaxRecvMsgBytes }),
  ...(flags.grpcMaxSendMsgBytes > 0 && { sendBytesMax: flags.grpcMaxSendMsgBytes }),
});

async function endRecord(recorder: EventRecorder | undefined, { driver }: LivePool): Promise<void> {
  const { decisionCount, decisionHash } = driver.core;
  await recorder?.end({ events: driver.eventCount, decisions: decisionCount, hash: decisionHash });
}

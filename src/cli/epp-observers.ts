import type { Logger } from "pino";
import type { EppFlags } from "../config/epp-flags.ts";
import type { Env } from "../core/env.ts";
import { createExchangeLog } from "../observability/exchange-log.ts";
import type { PickerMetrics } from "../observability/picker-metrics.ts";
import type { StreamMetrics } from "../observability/stream-metrics.ts";
import type { Tracing } from "../observability/tracing/start-tracing.ts";
import { readTraceSettings } from "../observability/tracing/trace-settings.ts";
import type { ExchangeMeter } from "../protocol/exchange-meter.ts";
import type { CoreDriver } from "../server/core-driver.ts";
import { seldom } from "../server/seldom.ts";

/** Everyone who watches the picker at work: metrics, traces, the log of requests. */
export interface EppObservers {
  /** To be the core's `Env.probe`. */
  readonly probe: NonNullable<Env["probe"]>;
  /** Meters of one exchange. */
  openMeters(): readonly ExchangeMeter[];
  /** Counts a stream; undefined where nobody asks for that. */
  readonly openStream: StreamMetrics["open"] | undefined;
  /** Begins to take in what the core decides. */
  attach(driver: CoreDriver): void;
  /** Sends the traces that are left. */
  stop(): Promise<void>;
}

/** Joins the metrics with the traces and log lines that flags and environment ask for. */
export async function eppObservers(
  flags: Pick<EppFlags, "tracing" | "verbosity" | "enableGrpcStreamMetrics">,
  env: Readonly<Record<string, string | undefined>>,
  metered: PickerMetrics,
  log: Logger,
): Promise<EppObservers> {
  const { tracing: isTraced, verbosity, enableGrpcStreamMetrics } = flags;
  const tracing = isTraced ? await tracingOf(env, log) : undefined;
  const openLog = createExchangeLog(log, verbosity);
  return {
    probe: tracing ? bothProbes(metered.probe, tracing.probe) : metered.probe,
    openStream: enableGrpcStreamMetrics ? metered.streams().open : undefined,
    openMeters() {
      const meters: ExchangeMeter[] = [metered.exchanges.open()];
      const trace = tracing?.open();
      if (trace) meters.push(trace);
      if (openLog) meters.push(openLog(trace));
      return meters;
    },
    attach(driver) {
      metered.attach(driver);
      tracing?.attach(driver);
    },
    stop: async () => tracing?.stop(),
  };
}

/** Traces as the environment asks for them; their packages are loaded only then. */
async function tracingOf(env: Readonly<Record<string, string | undefined>>, log: Logger): Promise<Tracing | undefined> {
  const { settings, warnings } = readTraceSettings(env);
  for (const warning of warnings) log.warn(warning);
  if (!settings) {
    log.debug("no traces: $OTEL_TRACES_EXPORTER and $OTEL_EXPORTER_OTLP_ENDPOINT name nobody who takes them");
    return undefined;
  }
  const { startTracing } = await import("../observability/tracing/start-tracing.ts");
  return startTracing(
    settings,
    seldom((message) => log.warn(message)),
  );
}

const bothProbes =
  (first: NonNullable<Env["probe"]>, second: NonNullable<Env["probe"]>): NonNullable<Env["probe"]> =>
  (point, plugin, edge) => {
    first(point, plugin, edge);
    second(point, plugin, edge);
  };

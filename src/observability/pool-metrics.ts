import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";
import type { CoreDriver } from "../server/core-driver.ts";
import type { PluginInstance } from "../core/plugin.ts";
import type { Notice } from "../core/notices.ts";

const FAILURES: ReadonlySet<Notice["type"]> = new Set(["producerFailed", "pluginFailed", "hookFailed"]);
/** Distinct model or fairness labels before further ones become `other`, as stock (metrics/cardinality.go). */
const LABEL_VALUES_MAX = 1000;
/** Characters of a label's value; clients name models and flows as they like, and longer ones become `other`. */
const LABEL_CHARS_MAX = 256;
/** Label sets of one family; beyond, requests count under `other` alone. */
const LABEL_SETS_MAX = 20_000;

const OTHER = "other";

export interface PoolMetricsOptions {
  readonly driver: CoreDriver;
  readonly poolName: string;
  /** Flags of the command line that no release knows. */
  readonly unknownFlagCount?: number;
  /** Age up to which an endpoint's signals count as fresh. */
  readonly freshWithinUs: number;
  /** Requests that the server in front has open, and bytes of bodies that it holds. */
  readonly streamCount: () => number;
  readonly bodyBytesInFlight: () => number;
}

/**
 * The picker's own metrics, read from the core's notices. Names and labels are the stock EPP's; the families that it
 * has beyond these come with the issue on signals.
 */
export function createPoolMetrics(options: PoolMetricsOptions): Registry {
  const { driver, poolName, freshWithinUs, streamCount, bodyBytesInFlight } = options;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const label = labelLimit();
  const limited = labelSetLimit();
  const mfp = ["model_name", "target_model_name", "fairness_id", "priority"];
  const requests = counter(registry, "llm_d_epp_request_total", "Requests that got an endpoint.", mfp);
  const errors = counter(registry, "llm_d_epp_request_error_total", "Requests that got none.", [...mfp, "error_code"]);
  const asks = counter(registry, "warmpath_asks_total", "IO that parked requests waited for, by how it ended.", [
    "outcome",
  ]);
  const failures = counter(
    registry,
    "warmpath_plugin_failures_total",
    "Producers that failed and plugins that threw.",
    [],
  );
  driver.observe((notice: Notice) => {
    if (notice.type === "decision") {
      const { facts, targetModel, fairnessId, priority, outcome } = notice.decision;
      if (facts.bodyless) return;
      const labels = limited({
        model_name: label("model", facts.model),
        target_model_name: label("model", targetModel),
        fairness_id: label("fairness", fairnessId),
        priority: String(priority),
      });
      if (outcome.kind === "picked") requests.inc(labels);
      else errors.inc({ ...labels, error_code: outcome.rejection.code });
    } else if (notice.type === "askOver") asks.inc({ outcome: notice.reason });
    else if (FAILURES.has(notice.type)) failures.inc();
  });
  gauge(registry, "llm_d_epp_ready_endpoints", "Endpoints with fresh metrics.", ["name"], (g) => {
    g.set({ name: poolName }, countFresh(driver, freshWithinUs));
  });
  gauge(registry, "warmpath_unknown_flags", "Flags of the command line that were passed over as unknown.", [], (g) =>
    g.set(options.unknownFlagCount ?? 0),
  );
  gauge(registry, "warmpath_requests_in_flight", "Requests between arrival and end.", [], (g) =>
    g.set(driver.core.requestCount),
  );
  gauge(registry, "warmpath_streams", "Requests that the server has open.", [], (g) => g.set(streamCount()));
  gauge(registry, "warmpath_body_bytes_in_flight", "Bytes of bodies that are held.", [], (g) =>
    g.set(bodyBytesInFlight()),
  );
  gauge(registry, "warmpath_plugin_gauge", "What plugins tell of themselves.", ["plugin_name", "gauge"], (g) => {
    for (const { name, plugin } of driver.core.plan.plugins) {
      for (const [key, value] of gaugesOf(plugin)) g.set({ plugin_name: name, gauge: key }, value);
    }
  });
  return registry;
}

/** Nothing of a plugin that throws: the page is worth more than its gauges. */
function gaugesOf(plugin: PluginInstance): readonly (readonly [string, number])[] {
  try {
    return Object.entries(plugin.gauges?.() ?? {});
  } catch {
    return [];
  }
}

function countFresh(driver: CoreDriver, freshWithinUs: number): number {
  driver.drain();
  const { nowUs } = driver;
  const { endpoints } = driver.core;
  return endpoints.slots().filter((slot) => {
    const at = endpoints.updatedAtUs[slot];
    return at >= 0 && nowUs - at <= freshWithinUs;
  }).length;
}

function counter<L extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly L[],
): Counter<L> {
  return new Counter({ name, help, labelNames: [...labelNames], registers: [registry] });
}

function gauge(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  collect: (gauge: Gauge) => void,
): void {
  const collected: Gauge = new Gauge({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    collect: () => collect(collected),
  });
}

type RequestLabels = Record<"model_name" | "target_model_name" | "fairness_id" | "priority", string>;

function labelSetLimit(): (labels: RequestLabels) => RequestLabels {
  const known = new Set<string>();
  return (labels) => {
    const set = JSON.stringify(Object.values(labels));
    if (known.has(set)) return labels;
    if (known.size >= LABEL_SETS_MAX) {
      return { model_name: OTHER, target_model_name: OTHER, fairness_id: OTHER, priority: labels.priority };
    }
    known.add(set);
    return labels;
  };
}

function labelLimit(): (kind: string, value: string) => string {
  const known = new Map<string, Set<string>>();
  return (kind, value) => {
    const values = known.get(kind) ?? new Set();
    known.set(kind, values);
    if (values.has(value)) return value;
    if (values.size >= LABEL_VALUES_MAX || value.length > LABEL_CHARS_MAX) return OTHER;
    values.add(value);
    return value;
  };
}

import { parseMetricSpec } from "../plugins/data-layer/metric-spec.ts";
import type { Flag } from "./flag-kinds.ts";
import { bool, choice, formed, port, text } from "./flag-kinds.ts";

/**
 * Flags of older releases (`spec/epp-core.md` 3.2), by their newest name: each is also known by its camelCase. `epp-flag-names.ts`
 * finds them all.
 */

/** An older flag that became a parameter of a plugin. */
export interface TranslatedFlag {
  readonly flag: Flag<string | number | boolean>;
  /** The parameter, in words. */
  readonly becomes: string;
  /** A value that means the same as no flag at all. */
  readonly unset?: string | number;
}

const metric = (name: string, help: string, parameter: string): [string, TranslatedFlag] => {
  const form = {
    expects: 'a metric specification such as name{label="value"}, or "" for none',
    matches: (given: string) => given === "" || typeof parseMetricSpec(given) !== "string",
  };
  const becomes = `${parameter} of an engineConfig "vllm" of core-metrics-extractor`;
  return [name, { flag: formed(name, help, "METRIC", form), becomes }];
};

const pages = (
  flag: Flag<string | number | boolean>,
  parameter: string,
  unset?: string | number,
): [string, TranslatedFlag] => [
  flag.name,
  { flag, becomes: `${parameter} of metrics-data-source`, ...(unset !== undefined && { unset }) },
];

/** Options of a `ConfigSource` are named as these flags; `flag-translations.ts` makes them parameters. */
export const TRANSLATED_FLAGS: ReadonlyMap<string, TranslatedFlag> = new Map([
  pages(
    choice("model-server-metrics-scheme", ["http", "https", ""], "", "Protocol of the metrics pages."),
    "scheme",
    "",
  ),
  pages(text("model-server-metrics-path", "", "Path of the metrics pages."), "path", ""),
  pages(port("model-server-metrics-port", 0, "Port of the metrics pages; 0 for the endpoint's own."), "port", 0),
  pages(
    bool("model-server-metrics-https-insecure-skip-verify", true, "Whether certificates of the pods go unchecked."),
    "insecureSkipVerify",
  ),
  metric("total-queued-requests-metric", "Gauge of waiting requests.", "queuedRequestsSpec"),
  metric("total-running-requests-metric", "Gauge of running requests.", "runningRequestsSpec"),
  metric("kv-cache-usage-percentage-metric", "Gauge of the KV cache's use.", "kvUsageSpec"),
  metric("lora-info-metric", "Series that tells the LoRA adapters.", "loraSpec"),
  metric("cache-info-metric", "Series that tells the KV cache's block size.", "cacheInfoSpec"),
]);

/** Flags that today's stock knows and ends with when they are set: exit status 1, where others are unknown to it. */
export const REFUSED_METRIC_FLAGS: readonly string[] = [...TRANSLATED_FLAGS.keys()].filter((name) =>
  name.endsWith("-metric"),
);

/** Older flags that are still values of the command line, hidden in help. */
export const OLD_FLAG_GROUP = {
  kubeconfig: text("kubeconfig", "", "Kubernetes config file, outside of a cluster; else $KUBECONFIG.", {
    placeholder: "FILE",
  }),
} as const;

/** An older flag that changes nothing any more. */
interface RetiredFlag {
  readonly flag: Flag<string>;
  /** Why it changes nothing, told when it is set. */
  readonly why: string;
  /** The value that is meant anyway: nothing is told then. */
  readonly meant?: string;
}

const ENDPOINT_KEY = "x-gateway-destination-endpoint";
const retired = (name: string, help: string, why: string, meant?: string): [string, RetiredFlag] => [
  name,
  { flag: text(name, "", help), why, ...(meant !== undefined && { meant }) },
];
const keyRetired = (name: string): [string, RetiredFlag] =>
  retired(name, "Header that names the endpoint.", `the header is always ${ENDPOINT_KEY}`, ENDPOINT_KEY);

/** Older flags without effect. */
export const RETIRED_FLAGS: ReadonlyMap<string, RetiredFlag> = new Map([
  keyRetired("destination-endpoint-hint-key"),
  keyRetired("target-endpoint-key"),
  retired(
    "destination-endpoint-hint-metadata-namespace",
    "Metadata namespace of the endpoint.",
    "the namespace is always envoy.lb",
    "envoy.lb",
  ),
  retired("refresh-pods-interval", "Time between looks for pods.", "pods are watched, so changes are seen at once"),
]);

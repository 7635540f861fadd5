import type { PluginPoint } from "../core/plugin.ts";
import type { ConfigDocument } from "./config-document.ts";
import type { ProblemList } from "./config-error.ts";
import type { ConfigPath } from "./config-node.ts";
import { placeOf } from "./config-node.ts";
import type { PluginTable } from "./plugin-entry.ts";
import { References } from "./references.ts";

const ORDERING_POLICY = "fcfs-ordering-policy";
const FAIRNESS_POLICY = "global-strict-fairness-policy";
const USAGE_LIMIT_POLICY = "static-usage-limit-policy";
/** Policies that are there whether declared or not, once the gate is open (stock: gate or not). */
export const DEFAULT_POLICIES: readonly string[] = [ORDERING_POLICY, FAIRNESS_POLICY, USAGE_LIMIT_POLICY];

/** Limits and policies of one priority; 0 in a limit is the default one. */
interface BandBlueprint {
  readonly priority: number;
  readonly bytesMax: number;
  readonly requestsMax: number;
  /** Undefined: that of all bands. */
  readonly defaultRequestTtlUs: number | undefined;
  readonly noEndpointRequestTtlUs: number | undefined;
  /** Names of plugins. */
  readonly fairnessPolicy: string;
  readonly orderingPolicy: string;
}

/** `flowControl` with everything decided. Limits: 0 is none. */
export interface FlowControlBlueprint {
  readonly bytesMax: number;
  readonly requestsMax: number;
  readonly defaultRequestTtlUs: number | undefined;
  readonly noEndpointRequestTtlUs: number | undefined;
  readonly defaultBand: BandBlueprint | undefined;
  readonly defaultNegativeBand: BandBlueprint | undefined;
  readonly bands: readonly BandBlueprint[];
  /** Name of a plugin. */
  readonly usageLimitPolicy: string;
  readonly evicts: boolean;
}

/**
 * Validates the section as the stock EPP does when its gate is open (flowcontrol/controller/config.go,
 * flowcontrol/registry/config.go). Undefined without the gate: then only the saturation detector counts.
 */
export function readFlowControl(
  document: ConfigDocument,
  table: PluginTable,
  problems: ProblemList,
): FlowControlBlueprint | undefined {
  const { root, gates, flowControl } = document;
  if (!gates.flowControl) return undefined;
  const references = new References(root, table, problems);
  const policy = (name: string, fallback: string, point: PluginPoint, path: ConfigPath): string => {
    if (name !== "") references.find(name, path, point);
    return name || fallback;
  };
  const notNegative = (value: number | undefined, path: ConfigPath, unit: string): number | undefined => {
    if (value !== undefined && value < 0) problems.found(root, path, `0 ${unit} or more`);
    return value;
  };
  const bandTtl = (value: number | undefined, path: ConfigPath): number | undefined => {
    if (value !== undefined)
      problems.old(placeOf(root, path), path, "a newer field, which the recorded stock release refuses");
    return notNegative(value, path, "seconds");
  };
  const at = (...path: ConfigPath): ConfigPath => ["flowControl", ...path];
  const band = (spec: (typeof flowControl.priorityBands)[number], path: ConfigPath): BandBlueprint => ({
    priority: spec.priority,
    bytesMax: notNegative(spec.maxBytes, [...path, "maxBytes"], "bytes") ?? 0,
    requestsMax: notNegative(spec.maxRequests, [...path, "maxRequests"], "requests") ?? 0,
    defaultRequestTtlUs: bandTtl(spec.defaultRequestTTL, [...path, "defaultRequestTTL"]),
    noEndpointRequestTtlUs: bandTtl(spec.noEndpointRequestTTL, [...path, "noEndpointRequestTTL"]),
    fairnessPolicy: policy(spec.fairnessPolicyRef, FAIRNESS_POLICY, "fairnessPolicy", [...path, "fairnessPolicyRef"]),
    orderingPolicy: policy(spec.orderingPolicyRef, ORDERING_POLICY, "orderingPolicy", [...path, "orderingPolicyRef"]),
  });
  const optionalBand = (key: "defaultPriorityBand" | "defaultNegativePriorityBand") =>
    flowControl[key] && band(flowControl[key], at(key));
  checkPriorities(document, problems);
  return {
    bytesMax: notNegative(flowControl.maxBytes, at("maxBytes"), "bytes") ?? 0,
    requestsMax: notNegative(flowControl.maxRequests, at("maxRequests"), "requests") ?? 0,
    defaultRequestTtlUs: notNegative(flowControl.defaultRequestTTL, at("defaultRequestTTL"), "seconds"),
    noEndpointRequestTtlUs: notNegative(flowControl.noEndpointRequestTTL, at("noEndpointRequestTTL"), "seconds"),
    defaultBand: optionalBand("defaultPriorityBand"),
    defaultNegativeBand: optionalBand("defaultNegativePriorityBand"),
    bands: flowControl.priorityBands.map((spec, i) => band(spec, at("priorityBands", i))),
    usageLimitPolicy: policy(
      flowControl.usageLimitPolicyPluginRef,
      USAGE_LIMIT_POLICY,
      "usageLimitPolicy",
      at("usageLimitPolicyPluginRef"),
    ),
    evicts: flowControl.enableEviction,
  };
}

function checkPriorities({ root, flowControl }: ConfigDocument, problems: ProblemList): void {
  const seen = new Set<number>();
  for (const [i, { priority }] of flowControl.priorityBands.entries()) {
    const path: ConfigPath = ["flowControl", "priorityBands", i, "priority"];
    if (seen.has(priority))
      problems.at(placeOf(root, path), path, `found a second band of priority ${priority}, expected each once`);
    seen.add(priority);
  }
}

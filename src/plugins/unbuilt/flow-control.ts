import { z } from "zod";
import type { PluginPoint, Stability } from "../../core/plugin.ts";
import { int, noParams } from "../params.ts";
import { defineUnbuilt } from "./define-unbuilt.ts";

const plain = (type: string, point: PluginPoint, stability?: Stability) =>
  defineUnbuilt({ type, points: [point], params: noParams, ignoresParams: true, ...(stability && { stability }) });

const STRATEGY = "How programs are compared.";

const programAwareParams = z.strictObject({
  strategy: z.enum(["", "las"]).default("las").describe(STRATEGY),
  evictionTtlSeconds: int.default(3600).describe("Idle time after which a program is forgotten."),
  evictionSweepSeconds: int.min(1).default(300).describe("Time between two looks for such programs."),
  lasWeightService: z.number().default(0.8).describe("Weight of little service had."),
  lasWeightHeadWait: z.number().default(0.2).describe("Weight of a long wait."),
  lasHalfLifeSeconds: z.number().default(60).describe("Time after which service had counts half."),
});

// 7.2
const programAware = defineUnbuilt({
  type: "program-aware-fairness",
  points: ["fairnessPolicy", "producer", "requestControl"],
  params: programAwareParams.extend({
    strategy: z
      .enum(["", "las", "turn-priority"])
      .default("las")
      .describe(`${STRATEGY} turn-priority: newer releases.`),
  }),
  stockParams: programAwareParams,
});

// 7.4
const staticUsageLimit = defineUnbuilt({
  type: "static-usage-limit-policy",
  points: ["usageLimitPolicy"],
  params: z.strictObject({
    threshold: z.number().default(1).describe("Saturation from which requests of every priority wait."),
  }),
});

const priorityHoldback = defineUnbuilt({
  type: "priority-holdback-policy",
  points: ["usageLimitPolicy"],
  stability: "alpha",
  params: z
    .strictObject({
      shape: z.literal("linear").default("linear").describe("How ceilings lie between the two ends."),
      domain: z.enum(["rank", "value"]).default("rank").describe("Whether priorities count by order or by value."),
      minCeiling: z.number().min(0).lt(1).describe("Ceiling of the lowest priority."),
      maxCeiling: z.number().gt(0).max(1).default(1).describe("Ceiling of the highest priority."),
    })
    .refine(({ minCeiling, maxCeiling }) => minCeiling < maxCeiling, {
      path: ["maxCeiling"],
      message: "a number above minCeiling",
    }),
});

export const UNBUILT_FLOW_CONTROL = [
  plain("global-strict-fairness-policy", "fairnessPolicy"),
  plain("round-robin-fairness-policy", "fairnessPolicy"),
  programAware,
  // 7.3
  plain("fcfs-ordering-policy", "orderingPolicy"),
  plain("edf-ordering-policy", "orderingPolicy"),
  plain("slo-deadline-ordering-policy", "orderingPolicy"),
  staticUsageLimit,
  priorityHoldback,
  plain("soft-reflective-ceiling-policy", "usageLimitPolicy", "alpha"),
  // 7.5
  plain("sheddable-eviction-filter", "evictionPolicy", "alpha"),
  plain("priority-then-time-eviction-order-policy", "evictionPolicy", "alpha"),
];

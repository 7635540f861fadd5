/** Plugin types of older releases that have no equal today, with what to write in their place. */
export const RETIRED_TYPES: Readonly<Record<string, string>> = {
  "decision-tree-filter": "a type of GIE 0.5 that went with 1.0; profiles run their filters in order, scorers weigh",
  "least-kv-cache-filter": "a type of GIE 0.5 that went with 1.0; kv-cache-utilization-scorer prefers such endpoints",
  "least-queue-filter": "a type of GIE 0.5 that went with 1.0; queue-scorer prefers such endpoints",
  "lora-affinity-filter": "a type of GIE 0.5 that went with 1.0; lora-affinity-scorer prefers such endpoints",
  "low-queue-filter": "a type of GIE 0.5 that went with 1.0; queue-scorer prefers such endpoints",
  "slo-aware-router":
    "a type of GIE 1.2 to 1.3; predicted-latency-producer with latency-scorer takes its place, with other parameters",
};

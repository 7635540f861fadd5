import { describe, expect, it } from "vitest";
import { parseEppFlags } from "./epp-flags.ts";

const OLD_GROUP = "inference.networking.x-k8s.io";

describe("warnings of flags", () => {
  const warningsOf = (line: string, env = {}): readonly string[] => {
    const parsed = parseEppFlags(`--pool-name pool ${line}`.trim().split(" "), env);
    if (!parsed.ok) throw new Error(parsed.errors.join("\n"));
    return parsed.warnings;
  };
  const table: readonly (readonly [string, ...string[]])[] = [
    ["--grpcPort 1 --grpcPort 2", "--grpcPort is an older form of --grpc-port"],
    ["-grpc-port 1", "-grpc-port is an older form of --grpc-port"],
    ["-v=4 --v 4 -v4"],
    [
      "--model-server-metrics-scheme=https",
      "--model-server-metrics-scheme becomes scheme of metrics-data-source in the config, where it belongs today",
    ],
    [
      "--kv-cache-usage-percentage-metric k",
      '--kv-cache-usage-percentage-metric becomes kvUsageSpec of an engineConfig "vllm" of core-metrics-extractor in the config, where it belongs today',
    ],
    ["--destination-endpoint-hint-key x-gateway-destination-endpoint"],
    [
      "--destination-endpoint-hint-key x-mine",
      "--destination-endpoint-hint-key has no effect: the header is always x-gateway-destination-endpoint",
    ],
    [`--pool-group ${OLD_GROUP}`, `--pool-group ${OLD_GROUP} is the group of older releases; today's is the default`],
    [
      "--secure-serving false",
      "argument 4 is passed over: a switch takes its value behind = only: --secure-serving=false",
    ],
    ["secret", "argument 3 is passed over: it belongs to no flag"],
    [
      "--grpc-prot 1 --grpc-prot 2",
      "UNKNOWN FLAG --grpc-prot, with its value (argument 4), is passed over and changes nothing; did you mean --grpc-port?",
    ],
  ];
  it.each(table)("%s", (line, ...warnings) => expect(warningsOf(line)).toEqual(warnings));

  it("name old environment, and what stands for it", () => {
    expect(warningsOf("", { SD_QUEUE_DEPTH_THRESHOLD: "5" })).toEqual([
      "$SD_QUEUE_DEPTH_THRESHOLD has no effect: use queueDepthThreshold of utilization-detector in the config",
    ]);
  });

  it("are bounded, however many flags are unknown, and never hold a value", () => {
    const line = Array.from({ length: 500 }, (_, i) => `--zzz${i} hidden${i} hidden`).join(" ");
    const warnings = warningsOf(line);
    expect(warnings.length).toBeLessThan(70);
    expect(warnings).toContain("UNKNOWN FLAGS: 480 more are passed over");
    expect(warnings.join("\n")).not.toContain("hidden");
  });
});

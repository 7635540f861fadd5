import { describe, expect, it } from "vitest";
import { DEFAULT_GATEWAY_LIMITS } from "../server/gateway-limits.ts";
import { gatewayFlagsHelp, parseGatewayArgs, type GatewayArgs } from "./gateway-args.ts";

const parse = (...argv: string[]): GatewayArgs => {
  const args = parseGatewayArgs(argv);
  if ("problems" in args) throw new Error(args.problems.join("; "));
  return args;
};
const problems = (...argv: string[]): readonly string[] => {
  const args = parseGatewayArgs(argv);
  return "problems" in args ? args.problems : [];
};

describe("the gateway's command line", () => {
  it("has the gateway's own defaults for all limits", () => {
    const args = parse();
    expect({
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
    }).toEqual(DEFAULT_GATEWAY_LIMITS);
  });

  it("takes values behind a space or =, the last use counts", () => {
    const args = parse("--endpoints", "a.yaml", "--port=0", "--port", "81", "--drain-timeout=1m", "--seed=7");
    expect(args).toMatchObject({ endpoints: "a.yaml", port: 81, drainTimeoutUs: 60_000_000, seed: 7 });
    expect(parse("--allow-experimental-plugins").allowExperimentalPlugins).toBe(true);
  });

  it("tells all that is wrong at once, with what is allowed", () => {
    expect(problems("--prot", "3", "--port", "70000", "--rewrite=no", "--body-bytes-max")).toEqual([
      "found --prot, no such flag; did you mean --port?",
      'found argument "3", expected flags only',
      'found "no" for --rewrite, expected one of splice, stock',
      'found "70000" for --port, expected a whole number from 0 to 65535',
      'found nothing for --body-bytes-max, expected a size above 0 such as 10485760, "10MiB" or "25MB"',
    ]);
    expect(problems("--config-file=a", "--config-text=b")).toEqual([
      "found --config-file and --config-text, expected one of them",
    ]);
  });

  it("explains every flag", () => {
    const lines = gatewayFlagsHelp()
      .split("\n")
      .filter((line) => line.startsWith("  --"));
    expect(lines.length).toBeGreaterThan(20);
    for (const line of lines) expect(line).toMatch(/^ {2}--[a-z-]+ +.*[A-Z][^.:]+[.:]/);
  });
});

import { describe, expect, it } from "vitest";
import type { EppFlags } from "./epp-flags.ts";
import { eppHelp, eppOldHelp } from "./epp-flag-help.ts";
import { parseEppFlags } from "./epp-flags.ts";

const POOL = ["--pool-name", "pool"];

function flags(argv: readonly string[], env: Record<string, string> = {}): EppFlags {
  const parsed = parseEppFlags(argv, env);
  if (!parsed.ok) throw new Error(parsed.errors.join("\n"));
  return parsed.flags;
}
function refused(argv: readonly string[], env: Record<string, string> = {}) {
  const parsed = parseEppFlags(argv, env);
  if (parsed.ok) throw new Error("taken");
  return { exitCode: parsed.exitCode, errors: parsed.errors };
}

describe("epp flags", () => {
  it("have the stock's defaults", () => {
    expect(flags(POOL)).toMatchObject({
      grpcPort: 9002,
      grpcHealthPort: 9003,
      metricsPort: 9090,
      poolName: "pool",
      poolNamespace: "default",
      poolGroup: "inference.networking.k8s.io",
      secureServing: true,
      enableCertReload: false,
      emitEndpointScores: false,
      disableEndpointSubsetFilter: false,
      allowExperimentalPlugins: false,
      drainTimeoutUs: 30_000_000,
      refreshMetricsIntervalUs: 50_000,
      refreshPrometheusMetricsIntervalUs: 5_000_000,
      metricsStalenessThresholdUs: 2_000_000,
      grpcMaxRecvMsgBytes: 0,
      metricsEndpointAuth: true,
      enablePprof: true,
      tracing: true,
      verbosity: 2,
      rewrite: "splice",
      transport: "grpc-js",
      bodyBytesMax: 33_554_432,
      seed: -1,
      recordEvents: "",
    });
  });

  const table: [string, string[], Partial<EppFlags>][] = [
    ["a value behind a space", ["--grpc-port", "1"], { grpcPort: 1 }],
    ["a value behind =", ["--grpc-port=1"], { grpcPort: 1 }],
    ["the last use counts", ["--grpc-port=1", "--grpc-port=2"], { grpcPort: 2 }],
    ["an empty value", ["--config-text="], { configText: "" }],
    ["a value with =", ["--config-text=a=b"], { configText: "a=b" }],
    ["a value that looks like a flag", ["--config-text", "--tracing"], { configText: "--tracing", tracing: true }],
    ["a bare switch", ["--emit-endpoint-scores"], { emitEndpointScores: true }],
    [
      "a switch behind =",
      ["--secure-serving=false", "--tracing=0", "--enable-pprof=F"],
      { secureServing: false, tracing: false, enablePprof: false },
    ],
    ["a switch takes no value behind a space", ["--secure-serving", "false"], { secureServing: true }],
    ["an empty argument", ["", "--grpc-port=1", ""], { grpcPort: 1 }],
    ["other arguments", ["word", "--grpc-port=1", "-"], { grpcPort: 1 }],
    ["-- ends the flags", ["--", "--grpc-port=x"], { grpcPort: 9002 }],
    ["-v 4", ["-v", "4"], { verbosity: 4 }],
    ["-v=4", ["-v=4"], { verbosity: 4 }],
    ["-v4", ["-v4"], { verbosity: 4 }],
    ["--v=5", ["--v=5"], { verbosity: 5 }],
    ["verbosity below 0 is 2", ["-v", "-1"], { verbosity: 2 }],
    ["the zap level before -v", ["--zap-log-level=5", "-v=2"], { verbosity: 5 }],
    ["zap levels in any case", ["--zap-log-level=DEBUG", "--zap-encoder=JSON"], { verbosity: 1, zapEncoder: "json" }],
    ["numbers as Go writes them", ["--grpc-port=0x10", "--metrics-port=0o17"], { grpcPort: 16, metricsPort: 15 }],
    [
      "durations",
      ["--drain-timeout=1m30s", "--refresh-metrics-interval=100ms"],
      { drainTimeoutUs: 90_000_000, refreshMetricsIntervalUs: 100_000 },
    ],
    ["a short scrape interval is raised", ["--refresh-metrics-interval=-1s"], { refreshMetricsIntervalUs: 50_000 }],
    [
      "sizes",
      ["--grpc-max-recv-msg-size=10MiB", "--body-bytes-max", "2MB"],
      { grpcMaxRecvMsgBytes: 10_485_760, bodyBytesMax: 2_000_000 },
    ],
    [
      "sizes that are the default",
      ["--grpc-max-recv-msg-size=", "--grpc-max-send-msg-size=0"],
      { grpcMaxRecvMsgBytes: 0, grpcMaxSendMsgBytes: 0 },
    ],
    [
      "lists",
      [
        "--tls-cipher-suites=TLS_RSA_WITH_AES_128_CBC_SHA,TLS_AES_128_GCM_SHA256",
        "--tls-cipher-suites",
        "TLS_RSA_WITH_RC4_128_SHA",
      ],
      { tlsCipherSuites: ["TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_AES_128_GCM_SHA256", "TLS_RSA_WITH_RC4_128_SHA"] },
    ],
    ["TLS versions", ["--tls-min-version=VersionTLS13"], { tlsMinVersion: "VersionTLS13" }],
    [
      "zap flags",
      ["--zap-encoder", "json", "--zap-devel", "--zap-log-level=debug"],
      { zapEncoder: "json", zapDevel: true, zapLogLevel: "debug" },
    ],
    [
      "our own",
      ["--rewrite=stock", "--seed", "7", "--record-events", "f"],
      { rewrite: "stock", seed: 7, recordEvents: "f" },
    ],
  ];
  for (const [what, argv, expected] of table) {
    it(`take ${what}`, () => expect(flags([...POOL, ...argv])).toMatchObject(expected));
  }

  it("take KServe's arguments, with empty strings for what its template leaves out", () => {
    const argv = [
      "--pool-name",
      "p",
      "--pool-namespace",
      "ns",
      "--zap-encoder",
      "json",
      "--grpc-port",
      "9002",
      "--grpc-health-port",
      "9003",
      "",
      "--secure-serving=true",
      "",
      "--cert-path=/var/run/kserve/tls",
    ];
    expect(flags(argv)).toMatchObject({ poolName: "p", poolNamespace: "ns", certPath: "/var/run/kserve/tls" });
  });

  it("take no empty argument for the value of an unknown flag", () => {
    expect(parseEppFlags([...POOL, "--zzz", "", "--yyy", "--grpc-port=1"], {})).toMatchObject({
      flags: { grpcPort: 1 },
      unknown: ["zzz", "yyy"],
      warnings: [
        "UNKNOWN FLAG --zzz is passed over and changes nothing",
        "UNKNOWN FLAG --yyy is passed over and changes nothing",
      ],
    });
  });

  it("find the Kubernetes config in the environment", () => {
    expect(flags(POOL, { KUBECONFIG: "/k" }).kubeconfig).toBe("/k");
    expect(flags([...POOL, "--kubeconfig=/mine"], { KUBECONFIG: "/k" }).kubeconfig).toBe("/mine");
  });

  it("find the namespace in the environment", () => {
    expect(flags(POOL, { NAMESPACE: "ns" }).poolNamespace).toBe("ns");
    expect(flags([...POOL, "--pool-namespace=mine"], { NAMESPACE: "ns" }).poolNamespace).toBe("mine");
  });

  it("name the pool after the Deployment with a selector", () => {
    const argv = ["--endpoint-selector=app=x", "--endpoint-target-ports=8000,8001", "--endpoint-target-ports", "8000"];
    expect(flags(argv, { POD_NAME: "my-epp-5f7c9-x2x4z" })).toMatchObject({
      poolName: "my-epp",
      endpointTargetPorts: [8000, 8001],
    });
    expect(refused(argv)).toEqual({
      exitCode: 1,
      errors: ["Cannot use --endpoint-selector: found nothing in $POD_NAME, expected a pod name of a Deployment"],
    });
    expect(refused(["--endpoint-selector=a in b", "--endpoint-target-ports=1"], { POD_NAME: "a-b-c" }).errors).toEqual([
      'Cannot use flag --endpoint-selector: found "b", expected ( in "a in b"',
    ]);
    expect(refused(["--endpoint-selector=a"], { POD_NAME: "a-b-c" }).errors).toEqual([
      "Cannot use --endpoint-selector: found 0 --endpoint-target-ports, expected 1 to 8",
    ]);
  });

  it("warn of an interval that is raised", () => {
    const parsed = parseEppFlags([...POOL, "--refresh-metrics-interval=10ms"], {});
    expect(parsed).toMatchObject({
      warnings: ["--refresh-metrics-interval is raised to 50ms, the shortest that is allowed"],
    });
    expect(parseEppFlags(POOL, {})).toMatchObject({ warnings: [] });
  });
});

describe("epp flags that are refused", () => {
  const table: [string, string[], 1 | 2, string][] = [
    [
      "a port that is none",
      ["--grpc-port=70000"],
      1,
      'Cannot use flag --grpc-port: found "70000", expected a whole number from 0 to 65535',
    ],
    [
      "a word for a port",
      ["--grpcPort", "http"],
      2,
      'Cannot use flag --grpcPort: found "http", expected a whole number from 0 to 65535',
    ],
    ["a word for a number", ["-v", "loud"], 2, 'Cannot use flag -v: found "loud", expected a whole number'],
    [
      "a bad duration",
      ["--drain-timeout=soon"],
      2,
      'Cannot use flag --drain-timeout: found "soon", expected a duration such as "200ms" or "1m30s"',
    ],
    ["a bad switch", ["--tracing=maybe"], 2, 'Cannot use flag --tracing: found "maybe", expected true or false'],
    [
      "a bad size",
      ["--grpc-max-recv-msg-size=lots"],
      1,
      'Cannot use flag --grpc-max-recv-msg-size: found "lots", expected a size above 0 such as 10485760, "10MiB" or "25MB"',
    ],
    [
      "a size below 0",
      ["--grpc-max-send-msg-size=-1"],
      1,
      'Cannot use flag --grpc-max-send-msg-size: found "-1", expected a size above 0 such as 10485760, "10MiB" or "25MB"',
    ],
    [
      "no size of a body",
      ["--body-bytes-max=0"],
      1,
      'Cannot use flag --body-bytes-max: found "0", expected a size above 0 such as 10485760, "10MiB" or "25MB"',
    ],
    [
      "a TLS version that does not exist",
      ["--tls-min-version=1.3"],
      1,
      'Cannot use flag --tls-min-version: found "1.3", expected one of VersionTLS10, VersionTLS11, VersionTLS12, VersionTLS13',
    ],
    [
      "a cipher suite that does not exist",
      ["--tls-cipher-suites=TLS_AES_128_GCM_SHA265"],
      1,
      'Cannot use flag --tls-cipher-suites: found "TLS_AES_128_GCM_SHA265", expected Go\'s names of cipher suites; did you mean TLS_AES_128_GCM_SHA256?',
    ],
    [
      "a word of no choice",
      ["--rewrite=go"],
      2,
      'Cannot use flag --rewrite: found "go", expected one of splice, stock',
    ],
    [
      "a log level that does not exist",
      ["--zap-log-level=loud"],
      2,
      'Cannot use flag --zap-log-level: found "loud", expected debug, info, error, panic or a whole number above 0',
    ],
    [
      "no value",
      ["--grpc-port"],
      2,
      "Cannot use flag --grpc-port: found nothing, expected a whole number from 0 to 65535",
    ],
    [
      "a metric that is none",
      ["--lora-info-metric", "a{b"],
      2,
      'Cannot use flag --lora-info-metric: found "a{b", expected a metric specification such as name{label="value"}, or "" for none',
    ],
    [
      "two configs",
      ["--config-file=a", "--config-text=b"],
      1,
      "Cannot use both --config-file and --config-text: found both, expected at most one",
    ],
    [
      "two pools",
      ["--endpoint-selector=a", "--endpoint-target-ports=1"],
      1,
      "Cannot find the pool: either pool-name or endpoint-selector must be set; found both",
    ],
    [
      "a client CA alone",
      ["--metrics-client-ca-file=x"],
      1,
      "Cannot use flag --metrics-client-ca-file: found no --metrics-cert-dir, expected it too",
    ],
    [
      "metrics TLS without authentication",
      ["--metrics-cert-dir=x", "--metrics-endpoint-auth=false"],
      1,
      "Cannot use flag --metrics-cert-dir: expected --metrics-endpoint-auth or --metrics-client-ca-file with it",
    ],
  ];
  for (const [what, argv, exitCode, message] of table) {
    it(`with exit status ${exitCode}: ${what}`, () => {
      expect(refused([...POOL, ...argv])).toEqual({ exitCode, errors: [message] });
    });
    if (message.includes("--grpcPort") || message.includes("-metric")) continue;
    it(`with exit status ${exitCode} by --strict-config too: ${what}`, () => {
      expect(refused(["--strict-config", ...POOL, ...argv])).toEqual({ exitCode, errors: [message] });
    });
  }

  it("name no pool", () => {
    expect(refused([]).errors).toEqual([
      "Cannot find the pool: either pool-name or endpoint-selector must be set; found neither",
    ]);
    expect(refused(["--pool-name="]).exitCode).toBe(1);
  });

  it("name ports out of range with a selector, and only then", () => {
    const ports = "--endpoint-target-ports=70000,-1";
    expect(flags([...POOL, ports]).endpointTargetPorts).toEqual([70_000, -1]);
    expect(refused(["--endpoint-selector=a", ports], { POD_NAME: "a-b-c" })).toEqual({
      exitCode: 1,
      errors: [
        "Cannot use --endpoint-selector: found 70000, -1 in --endpoint-target-ports, expected ports from 0 to 65535",
      ],
    });
  });

  it("are told all at once, with the exit status of the first that stock meets", () => {
    const { errors, exitCode } = refused(["--grpc-port=x", "--grpc-max-recv-msg-size=x", "--tracing=maybe"]);
    expect(errors).toHaveLength(3);
    expect(exitCode).toBe(2);
  });
});

describe("epp --strict-config", () => {
  const STRICT = ["--strict-config", ...POOL];
  const table: [string, string[], 1 | 2, string][] = [
    ["an unknown flag", ["--no-such-flag"], 2, "Cannot use flag --no-such-flag: no such flag"],
    ["a mistyped one", ["--grpc-prot=1"], 2, "Cannot use flag --grpc-prot: no such flag; did you mean --grpc-port?"],
    ["camelCase", ["--poolName=x"], 2, "Cannot use flag --poolName: no such flag; did you mean --pool-name?"],
    ["one dash", ["-pool-name", "x"], 2, "Cannot use flag -pool-name: no such flag; did you mean --pool-name?"],
    ["no name", ["--=x"], 2, "Cannot use flag --: no such flag"],
    [
      "a removed flag",
      ["--model-server-metrics-port=8000"],
      2,
      "Cannot use flag --model-server-metrics-port: no such flag",
    ],
    ["a retired flag", ["--kubeconfig", "x"], 2, "Cannot use flag --kubeconfig: no such flag"],
    [
      "a metric flag",
      ["--kv-cache-usage-percentage-metric", "x"],
      1,
      "Cannot use flag --kv-cache-usage-percentage-metric: metrics are named by engineConfigs of core-metrics-extractor in the config",
    ],
  ];
  for (const [what, argv, exitCode, message] of table) {
    it(`ends with ${exitCode}: ${what}`, () => {
      expect(refused([...STRICT, ...argv])).toEqual({ exitCode, errors: [message] });
      expect(refused([...argv, ...STRICT])).toEqual({ exitCode, errors: [message] });
    });
  }

  it("takes what stock takes, without a word", () => {
    const argv = [...STRICT, "", "word", "--secure-serving", "false", "-v4", "--", "--no-such-flag"];
    expect(parseEppFlags(argv, {})).toMatchObject({
      ok: true,
      flags: { strictConfig: true, secureServing: true, verbosity: 4 },
      warnings: [],
      unknown: [],
    });
  });

  it("is off when it is the value of another flag, or set to false", () => {
    expect(flags([...POOL, "--config-text", "--strict-config", "--poolName=p"]).poolName).toBe("p");
    expect(flags([...STRICT, "--strict-config=false", "--poolName=p"]).poolName).toBe("p");
  });
});

describe("help", () => {
  it("has every flag of today, grouped, with its default", () => {
    const help = eppHelp();
    expect(help).toContain("Pool and endpoints\n  --pool-name TEXT");
    expect(help).toContain("  --grpc-port PORT\n        Port of ext_proc. (default 9002)");
    expect(help).toContain("  -v, --v N");
    expect(help).toContain(
      "  --drain-timeout DURATION\n        Goes on serving this long after SIGTERM. (default 30s)",
    );
    expect(help).toContain("warmpath's own\n  --strict-config");
  });

  it("hides older flags and says where they are", () => {
    const old = ["model-server-metrics-scheme", "lora-info-metric", "kubeconfig", "destination-endpoint-hint-key"];
    for (const name of old) {
      expect(eppHelp()).not.toContain(name);
      expect(eppOldHelp()).toContain(`  --${name}`);
    }
    expect(eppHelp()).toContain("--help-old");
  });
});

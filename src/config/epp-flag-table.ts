import { bool, bytes, choice, duration, formed, int, port, ports, text, words } from "./flag-kinds.ts";

/** As controller-runtime's flags take it. */
const ZAP_LEVEL = /^(debug|info|error|panic)$/i;
const SEED_MAX = 0xffff_ffff;

/**
 * The epp command line: the stock EPP's flags with its defaults (`spec/epp-core.md` 3.1; stock: server/options.go), and
 * our own in the last group. Help is printed from this table.
 */
export const EPP_FLAG_GROUPS = {
  "Pool and endpoints": {
    poolName: text("pool-name", "", "InferencePool whose pods are picked; this or --endpoint-selector."),
    poolNamespace: text("pool-namespace", "", "Its namespace; else $NAMESPACE, else default."),
    poolGroup: text("pool-group", "inference.networking.k8s.io", "Group that objectives refer to the pool by."),
    endpointSelector: text("endpoint-selector", "", "Label selector of pods, without an InferencePool."),
    endpointTargetPorts: ports("endpoint-target-ports", "Ports of those pods, 1 to 8."),
    disableEndpointSubsetFilter: bool("disable-endpoint-subset-filter", false, "Ignores the subset hint."),
    haEnableLeaderElection: bool("ha-enable-leader-election", false, "Only the leader is ready."),
  },
  Config: {
    configFile: text("config-file", "", "EndpointPickerConfig file; without one the built-in default.", {
      placeholder: "FILE",
    }),
    configText: text("config-text", "", "The same as text; not with --config-file."),
    allowExperimentalPlugins: bool("allow-experimental-plugins", false, "Allows plugin types that are alpha."),
  },
  ext_proc: {
    grpcPort: port("grpc-port", 9002, "Port of ext_proc."),
    secureServing: bool("secure-serving", true, "TLS on that port."),
    certPath: text("cert-path", "", "Folder with tls.crt and tls.key; without one a self-signed pair.", {
      placeholder: "DIR",
    }),
    enableCertReload: bool("enable-cert-reload", false, "Reads the pair again when it changes."),
    tlsMinVersion: choice(
      "tls-min-version",
      ["", "VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"],
      "",
      "Lowest TLS version.",
      { refusedLater: () => true },
    ),
    tlsCipherSuites: words("tls-cipher-suites", "Cipher suites up to TLS 1.2, by Go's names."),
    grpcMaxRecvMsgBytes: bytes("grpc-max-recv-msg-size", "", "Largest message that is taken; default 4 MiB."),
    grpcMaxSendMsgBytes: bytes("grpc-max-send-msg-size", "", "Largest message that is sent; default: any."),
    drainTimeoutUs: duration("drain-timeout", "30s", "Goes on serving this long after SIGTERM."),
    emitEndpointScores: bool("emit-endpoint-scores", false, "Puts every candidate's score into the metadata."),
    healthChecking: bool(
      "health-checking",
      false,
      "Registers the health service on the ext_proc port (always so here).",
    ),
  },
  "Signals, metrics and health": {
    refreshMetricsIntervalUs: duration(
      "refresh-metrics-interval",
      "50ms",
      "Time between scrapes of a pod; at least 50ms.",
    ),
    refreshPrometheusMetricsIntervalUs: duration(
      "refresh-prometheus-metrics-interval",
      "5s",
      "Time between updates of pool gauges.",
    ),
    metricsStalenessThresholdUs: duration(
      "metrics-staleness-threshold",
      "2s",
      "Age at which signals no longer count for pool gauges.",
    ),
    grpcHealthPort: port("grpc-health-port", 9003, "Port of the gRPC health service, plain text."),
    metricsPort: port("metrics-port", 9090, "Port of the metrics page."),
    metricsEndpointAuth: bool("metrics-endpoint-auth", true, "Asks the API server whether a caller may read metrics."),
    metricsCertDir: text("metrics-cert-dir", "", "Folder with tls.crt and tls.key: TLS for the metrics page.", {
      placeholder: "DIR",
    }),
    metricsClientCaFile: text(
      "metrics-client-ca-file",
      "",
      "CA of clients that may read metrics; with --metrics-cert-dir.",
      { placeholder: "FILE" },
    ),
    enableGrpcStreamMetrics: bool("enable-grpc-stream-metrics", false, "Metrics about ext_proc streams."),
    enablePprof: bool("enable-pprof", true, "Profiles beside the metrics page."),
  },
  "Logs and traces": {
    verbosity: int("v", 2, "How much is logged: 2 default, 3 verbose, 4 debug, 5 trace.", { short: "v" }),
    zapDevel: bool("zap-devel", false, "Accepted; logs are always JSON lines."),
    zapEncoder: choice("zap-encoder", ["json", "console"], "", "Accepted; logs are always JSON lines."),
    zapLogLevel: formed(
      "zap-log-level",
      "debug (as -v 1), info, error, panic or a number above 0: counts before -v.",
      "LEVEL",
      {
        expects: "debug, info, error, panic or a whole number above 0",
        matches: (given) => ZAP_LEVEL.test(given) || /^\+?0*[1-9][0-9]*$/.test(given),
      },
    ),
    zapStacktraceLevel: formed("zap-stacktrace-level", "Accepted; no effect.", "LEVEL", {
      expects: "debug, info, error or panic",
      matches: (given) => ZAP_LEVEL.test(given),
    }),
    zapTimeEncoding: choice(
      "zap-time-encoding",
      ["epoch", "millis", "nano", "iso8601", "rfc3339", "rfc3339nano"],
      "",
      "Accepted; times are always seconds.",
    ),
    tracing: bool(
      "tracing",
      true,
      "OpenTelemetry traces, where $OTEL_TRACES_EXPORTER or $OTEL_EXPORTER_OTLP_ENDPOINT says who takes them.",
    ),
  },
  "warmpath's own": {
    strictConfig: bool(
      "strict-config",
      false,
      "Refuses what the stock release refuses: unknown and old flags, old forms of the config.",
    ),
    rewrite: choice(
      "rewrite",
      ["splice", "stock"],
      "splice",
      "How a model name is rewritten: in place, or as the stock EPP writes JSON.",
    ),
    removeClientHeaders: bool(
      "remove-client-headers",
      true,
      "Has the proxy drop routing headers of clients, such as x-prefiller-host-port, where no pod was picked for them.",
    ),
    joinSplitUsage: bool(
      "join-split-usage",
      true,
      "Reads token counts also from an event that is split across chunks of the answer; the stock EPP misses them.",
    ),
    transport: choice("transport", ["grpc-js"], "grpc-js", "Implementation of the gRPC server."),
    bodyBytesMax: bytes("body-bytes-max", "32MiB", "Largest request body: 413 above."),
    bodyBytesInFlightMax: bytes("body-bytes-in-flight-max", "512MiB", "Most bytes of bodies held at once: 503 above."),
    prefixIndexBytesMax: bytes("prefix-index-bytes-max", "256MiB", "Memory of a prefix index; the oldest entries go."),
    seed: int("seed", -1, "Seed of all chance; without one it is drawn at the start.", {
      defaultText: "",
      min: 0,
      max: SEED_MAX,
    }),
    recordEvents: text("record-events", "", "Writes every event to a file, for warmpath replay.", {
      placeholder: "FILE",
    }),
  },
} as const;

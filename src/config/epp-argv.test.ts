import { describe, expect, it } from "vitest";
import { readBlueprint } from "./blueprint.ts";
import { configOptionsOf } from "./epp-flag-options.ts";
import type { EppFlags } from "./epp-flags.ts";
import { parseEppFlags } from "./epp-flags.ts";

/** What a command line comes to: its flags, where the pods' metrics pages are, and the names of their metrics. */
type Effective = Omit<EppFlags, "translated" | "configText"> & {
  readonly pages: { scheme: string; path: string; port?: number; insecureSkipVerify: boolean };
  readonly metrics: readonly Record<string, unknown>[];
  readonly unknown: readonly string[];
};

/** A command line as words; `''` is an empty argument and CONFIG, CONFIG_0_10 are config texts. */
function argvOf(line: string): readonly string[] {
  const texts: Readonly<Record<string, string>> = { "''": "", CONFIG, CONFIG_0_10 };
  return line
    .trim()
    .split(/\s+/)
    .map((word) => texts[word] ?? word);
}

const CONFIG = `
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: queue-scorer
- type: max-score-picker
`;
/** As KServe's controller rewrites it for the router from 0.10 on. */
const CONFIG_0_10 = JSON.stringify({
  apiVersion: "llm-d.ai/v1alpha1",
  kind: "EndpointPickerConfig",
  plugins: [
    { type: "queue-scorer" },
    { type: "max-score-picker" },
    { type: "metrics-data-source", parameters: { scheme: "https" } },
    { type: "core-metrics-extractor" },
  ],
  dataLayer: {
    sources: [{ pluginRef: "metrics-data-source", extractors: [{ pluginRef: "core-metrics-extractor" }] }],
  },
});

function effective(line: string, env: Readonly<Record<string, string>> = {}): Effective {
  const parsed = parseEppFlags(argvOf(line), env);
  if (!parsed.ok) throw new Error(parsed.errors.join("\n"));
  const { configText: text, translated: _, ...flags } = parsed.flags;
  const [source] = readBlueprint({ text, options: configOptionsOf(parsed.flags) }).dataLayer.sources;
  const { scheme, path, port, insecureSkipVerify } = source.params as Effective["pages"];
  const { engineConfigs } = source.extractors[0].params as { engineConfigs: readonly Record<string, unknown>[] };
  return {
    ...flags,
    pages: { scheme, path, ...(port !== undefined && { port }), insecureSkipVerify },
    metrics: engineConfigs,
    unknown: parsed.unknown,
  };
}

/** What all of them come to, but for what each row tells. */
const SAME: Effective = {
  poolName: "pool",
  poolNamespace: "ns",
  poolGroup: "inference.networking.k8s.io",
  endpointSelector: "",
  endpointTargetPorts: [],
  disableEndpointSubsetFilter: false,
  haEnableLeaderElection: false,
  kubeconfig: "",
  configFile: "",
  allowExperimentalPlugins: false,
  grpcPort: 9002,
  secureServing: true,
  certPath: "",
  enableCertReload: false,
  tlsMinVersion: "",
  tlsCipherSuites: [],
  grpcMaxRecvMsgBytes: 0,
  grpcMaxSendMsgBytes: 0,
  drainTimeoutUs: 30_000_000,
  emitEndpointScores: false,
  healthChecking: false,
  refreshMetricsIntervalUs: 50_000,
  refreshPrometheusMetricsIntervalUs: 5_000_000,
  metricsStalenessThresholdUs: 2_000_000,
  grpcHealthPort: 9003,
  metricsPort: 9090,
  metricsEndpointAuth: true,
  metricsCertDir: "",
  metricsClientCaFile: "",
  enableGrpcStreamMetrics: false,
  enablePprof: true,
  verbosity: 2,
  zapDevel: false,
  zapEncoder: "",
  zapLogLevel: "",
  zapStacktraceLevel: "",
  zapTimeEncoding: "",
  tracing: true,
  strictConfig: false,
  rewrite: "splice",
  removeClientHeaders: true,
  joinSplitUsage: true,
  transport: "grpc-js",
  bodyBytesMax: 33_554_432,
  bodyBytesInFlightMax: 536_870_912,
  prefixIndexBytesMax: 268_435_456,
  seed: -1,
  recordEvents: "",
  pages: { scheme: "http", path: "/metrics", insecureSkipVerify: true },
  metrics: [],
  unknown: [],
};
const HTTPS = { scheme: "https", path: "/metrics", insecureSkipVerify: true };
const KSERVE = { zapEncoder: "json", pages: HTTPS, certPath: "/var/run/kserve/tls" } as const;
const OLD_GROUP = "inference.networking.x-k8s.io";
const KSERVE_3_4 = `--pool-name pool --pool-namespace ns --zap-encoder json --grpc-port 9002 --grpc-health-port 9003
  --enable-cert-reload=true --secure-serving=true --model-server-metrics-scheme=https --cert-path=/var/run/kserve/tls`;

type Row = readonly [era: string, line: string, differs?: Partial<Effective>, env?: Readonly<Record<string, string>>];

/** What KServe and the playbook start the picker with, by release (`spec/deploy.md` 1.3). */
const GOLDEN: readonly Row[] = [
  [
    "2.25",
    `--poolName pool --poolNamespace ns --zap-encoder json --grpcPort 9002 --grpcHealthPort 9003 --secureServing
     --modelServerMetricsScheme https --modelServerMetricsHttpsInsecureSkipVerify --certPath /etc/ssl/certs
     --configText CONFIG`,
    { ...KSERVE, certPath: "/etc/ssl/certs" },
  ],
  [
    "3.0",
    `--pool-name pool --pool-namespace ns --pool-group ${OLD_GROUP} --zap-encoder json --grpc-port 9002
     --grpc-health-port 9003 --secure-serving --model-server-metrics-scheme https
     --model-server-metrics-https-insecure-skip-verify --cert-path /etc/ssl/certs --config-text CONFIG`,
    { ...KSERVE, certPath: "/etc/ssl/certs", poolGroup: OLD_GROUP },
  ],
  [
    "3.1 and 3.2",
    `--pool-name pool --pool-namespace ns --pool-group ${OLD_GROUP} --zap-encoder json --grpc-port 9002
     --grpc-health-port 9003 --secure-serving --model-server-metrics-scheme https --cert-path /var/run/kserve/tls
     --config-text CONFIG`,
    { ...KSERVE, poolGroup: OLD_GROUP },
  ],
  [
    "3.3",
    `--pool-name pool --pool-namespace ns --pool-group ${OLD_GROUP} --zap-encoder json --grpc-port 9002
     --grpc-health-port 9003 --secure-serving --model-server-metrics-scheme https --cert-path /var/run/kserve/tls
     --config-text CONFIG`,
    { ...KSERVE, poolGroup: OLD_GROUP },
  ],
  ["3.4 with TLS", `${KSERVE_3_4} --config-text CONFIG`, { ...KSERVE, enableCertReload: true }],
  [
    "3.4 without TLS",
    `--pool-name pool --pool-namespace ns --zap-encoder json --grpc-port 9002 --grpc-health-port 9003 '' '' '' ''
     --config-text CONFIG`,
    { zapEncoder: "json" },
  ],
  [
    "3.5",
    `${KSERVE_3_4} --ha-enable-leader-election --config-text CONFIG`,
    { ...KSERVE, enableCertReload: true, haEnableLeaderElection: true },
  ],
  [
    "3.5 once its config is that of 0.10",
    `--pool-name pool --pool-namespace ns --zap-encoder json --grpc-port 9002 --grpc-health-port 9003
     --enable-cert-reload=true --secure-serving=true --cert-path=/var/run/kserve/tls --config-text CONFIG_0_10`,
    { ...KSERVE, enableCertReload: true },
  ],
  [
    "the playbook's arguments behind the command of 3.4, so each flag comes twice",
    `${KSERVE_3_4} --pool-name pool --pool-namespace ns --pool-group ${OLD_GROUP} --zap-encoder json --grpc-port 9002
     --grpc-health-port 9003 --secure-serving --model-server-metrics-scheme https --config-text CONFIG`,
    { ...KSERVE, enableCertReload: true, poolGroup: OLD_GROUP },
  ],
];

const vllm = (specs: Record<string, string>): Partial<Effective> => ({
  metrics: [
    {
      name: "vllm",
      queuedRequestsSpec: "vllm:num_requests_waiting",
      runningRequestsSpec: "vllm:num_requests_running",
      kvUsageSpec: "vllm:kv_cache_usage_perc",
      loraSpec: "vllm:lora_requests_info",
      cacheInfoSpec: "vllm:cache_config_info",
      cacheBlockSizeLabelName: "",
      cacheNumBlocksLabelName: "",
      cacheBlockSizeSpec: "",
      cacheNumBlocksSpec: "",
      customMetrics: [],
      ...specs,
    },
  ],
});

const MORE: readonly Row[] = [
  [
    "GIE 0.1",
    `-poolName pool -poolNamespace ns -v 3 -grpcPort 9002 -grpcHealthPort 9003 -metricsPort 9090
     -targetEndpointKey x-gateway-destination-endpoint -refreshPodsInterval 10s -refreshMetricsInterval 50ms`,
    { verbosity: 3 },
  ],
  ["GIE 0.2, with another header", "-poolName pool -poolNamespace ns -destinationEndpointHintKey x-mine"],
  [
    "GIE 0.3",
    `-poolName pool -poolNamespace ns -v 4 --zap-encoder json -grpcPort 9002 -grpcHealthPort 9003
     -DestinationEndpointHintMetadataNamespace envoy.lb`,
    { verbosity: 4, zapEncoder: "json" },
  ],
  [
    "GIE 0.4, metric names of another server",
    `--poolName=pool --poolNamespace=ns -totalQueuedRequestsMetric=nv_trt_llm_request_metrics{request_type=waiting}
     -kvCacheUsagePercentageMetric=nv_kv -loraInfoMetric=`,
    vllm({
      queuedRequestsSpec: "nv_trt_llm_request_metrics{request_type=waiting}",
      kvUsageSpec: "nv_kv",
      loraSpec: "",
    }),
  ],
  [
    "GIE 0.5, everything said that is the default anyway",
    `-poolName pool -poolNamespace ns -secureServing=true -healthChecking=false -certPath= -enablePprof=true
     -refreshPrometheusMetricsInterval 5s -totalQueuedRequestsMetric vllm:num_requests_waiting
     -kvCacheUsagePercentageMetric vllm:gpu_cache_usage_perc -loraInfoMetric vllm:lora_requests_info
     -modelServerMetricsPort 0 -modelServerMetricsPath /metrics -modelServerMetricsScheme http
     -modelServerMetricsHttpsInsecureSkipVerify=true`,
  ],
  [
    "GIE 0.5 with a config file and outside of a cluster",
    "--configFile /etc/epp/config.yaml --poolName pool --poolNamespace ns --kubeconfig /home/me/.kube/config",
    { configFile: "/etc/epp/config.yaml", kubeconfig: "/home/me/.kube/config" },
  ],
  [
    "scheduler 0.2, the chart",
    `-poolName pool -poolNamespace ns -v 5 --zap-encoder=json -grpcPort 9002 -grpcHealthPort 9003 --secureServing=false`,
    { verbosity: 5, zapEncoder: "json", secureServing: false },
  ],
  [
    "KServe 0.16",
    `--poolName pool --poolNamespace ns --zap-encoder json --grpcPort 9002 --grpcHealthPort 9003 --configText CONFIG`,
    { zapEncoder: "json" },
  ],
  [
    "KServe 0.17",
    `--pool-name pool --pool-namespace ns --zap-encoder json --grpc-port 9002 --grpc-health-port 9003
     --kv-cache-usage-percentage-metric vllm:kv_cache_usage_perc --config-text CONFIG`,
    { zapEncoder: "json" },
  ],
  [
    "KServe without TLS from 3.5 on",
    `--pool-name pool --pool-namespace ns --zap-encoder json --grpc-port 9002 --grpc-health-port 9003 ''
     --secure-serving=false '' '' --config-text CONFIG`,
    { zapEncoder: "json", secureServing: false },
  ],
  [
    "3.4-EA2",
    `--pool-name pool --pool-namespace ns --zap-encoder json --grpc-port 9002 --grpc-health-port 9003
     --kv-cache-usage-percentage-metric vllm:kv_cache_usage_perc --enable-cert-reload=true --secure-serving=true
     --model-server-metrics-scheme=https --cert-path=/var/run/kserve/tls --config-text CONFIG`,
    { ...KSERVE, enableCertReload: true },
  ],
  [
    "GIE 1.0, the chart",
    `--pool-name pool --pool-namespace ns --pool-group ${OLD_GROUP} --v 3 --grpc-port 9002 --grpc-health-port 9003
     --metrics-port 9090 --metrics-staleness-threshold 2s`,
    { verbosity: 3, poolGroup: OLD_GROUP },
  ],
  [
    "GIE 1.0, one dash",
    "-pool-name pool -pool-namespace=ns -v=4 -secure-serving=false -metrics-staleness-threshold=1m",
    { verbosity: 4, secureServing: false, metricsStalenessThresholdUs: 60_000_000 },
  ],
  [
    "GIE 1.1",
    "--pool-name=pool --pool-namespace=ns --metrics-endpoint-auth=false --tracing=false --cache-info-metric=c",
    { metricsEndpointAuth: false, tracing: false, ...vllm({ cacheInfoSpec: "c" }) },
  ],
  [
    "GIE 1.2, standalone",
    "--endpoint-selector app=x --endpoint-target-ports 8000,8001 --pool-namespace ns",
    { endpointSelector: "app=x", endpointTargetPorts: [8000, 8001] },
    { POD_NAME: "pool-5f7c9d8b6-x2x4z" },
  ],
  [
    "GIE 1.3",
    "--pool-name pool --pool-namespace ns --disable-endpoint-subset-filter --total-running-requests-metric r -v1",
    { disableEndpointSubsetFilter: true, verbosity: 1, ...vllm({ runningRequestsSpec: "r" }) },
  ],
  [
    "GIE 1.4, old environment",
    "--pool-name pool",
    {},
    { NAMESPACE: "ns", SD_QUEUE_DEPTH_THRESHOLD: "5", ENABLE_EXPERIMENTAL_DATALAYER_V2: "true" },
  ],
  [
    "scheduler 0.7",
    `--pool-name pool --pool-namespace ns --zap-devel --zap-log-level debug --zap-time-encoding RFC3339
     --zap-stacktrace-level error --model-server-metrics-port 8200 --model-server-metrics-path /prometheus`,
    {
      zapDevel: true,
      zapLogLevel: "debug",
      zapTimeEncoding: "rfc3339",
      zapStacktraceLevel: "error",
      verbosity: 1,
      pages: { scheme: "http", path: "/prometheus", port: 8200, insecureSkipVerify: true },
    },
  ],
  [
    "router 0.9",
    `--pool-name pool --pool-namespace ns --grpc-max-recv-msg-size 10MiB --grpc-max-send-msg-size=25MB
     --enable-grpc-stream-metrics --model-server-metrics-scheme=https
     --model-server-metrics-https-insecure-skip-verify=false`,
    {
      grpcMaxRecvMsgBytes: 10_485_760,
      grpcMaxSendMsgBytes: 25_000_000,
      enableGrpcStreamMetrics: true,
      pages: { ...HTTPS, insecureSkipVerify: false },
    },
  ],
  [
    "router 0.10",
    `--pool-name pool --pool-namespace ns --drain-timeout 1m30s --emit-endpoint-scores --tls-min-version VersionTLS13
     --tls-cipher-suites TLS_AES_128_GCM_SHA256 --allow-experimental-plugins --config-text CONFIG`,
    {
      drainTimeoutUs: 90_000_000,
      emitEndpointScores: true,
      tlsMinVersion: "VersionTLS13",
      tlsCipherSuites: ["TLS_AES_128_GCM_SHA256"],
      allowExperimentalPlugins: true,
    },
  ],
  [
    "router 0.10, metrics over TLS",
    `--pool-name pool --pool-namespace ns --metrics-cert-dir /tls --metrics-client-ca-file /tls/ca.crt
     --metrics-endpoint-auth=false --metrics-port=9443`,
    {
      metricsCertDir: "/tls",
      metricsClientCaFile: "/tls/ca.crt",
      metricsEndpointAuth: false,
      metricsPort: 9443,
    },
  ],
  [
    "today's chart",
    `--pool-name pool --pool-namespace ns --pool-group inference.networking.k8s.io --zap-encoder json
     --config-file /config/default-plugins.yaml --tracing=false --v 1 --grpc-port=0x232a --enable-pprof=F`,
    {
      zapEncoder: "json",
      configFile: "/config/default-plugins.yaml",
      tracing: false,
      verbosity: 1,
      enablePprof: false,
    },
  ],
  [
    "today's flags in camelCase",
    `--poolName pool --poolNamespace ns --drainTimeout=2s --emitEndpointScores --grpcMaxRecvMsgSize=1Mi
     --haEnableLeaderElection`,
    {
      drainTimeoutUs: 2_000_000,
      emitEndpointScores: true,
      grpcMaxRecvMsgBytes: 1_048_576,
      haEnableLeaderElection: true,
    },
  ],
  [
    "two releases mixed, the last word counts",
    "--poolName old --pool-name=pool -poolNamespace x --pool-namespace ns --grpc-port 1 -grpcPort=9002 -v=9 --v 2",
  ],
  [
    "positional words between flags",
    "start --pool-name pool --secure-serving false -- --pool-namespace other",
    {},
    { NAMESPACE: "ns" },
  ],
  [
    "a release to come",
    `--pool-name pool --future-switch --pool-namespace ns --future-value fast --future-number -5 --futureCamel=x
     --future-list a,b --future-offset=-1 '' -F --grpc-port 9002 --config-text CONFIG`,
    {
      unknown: ["future-switch", "future-value", "future-number", "futureCamel", "future-list", "future-offset", "F"],
    },
  ],
];

describe("command lines of every release", () => {
  for (const [era, line, differs, env] of GOLDEN) {
    it(`${era}: KServe's come to the same`, () => {
      expect(effective(line, env)).toEqual({ ...SAME, ...differs });
    });
  }
  for (const [era, line, differs, env] of MORE) {
    it(`${era} comes to the same`, () => expect(effective(line, env)).toEqual({ ...SAME, ...differs }));
  }
});

/** Envoy's body modes, as its config names them. */
export type BodyMode = "NONE" | "STREAMED" | "BUFFERED" | "BUFFERED_PARTIAL" | "FULL_DUPLEX_STREAMED";

export interface EnvoyOptions {
  /** The picker's port on 127.0.0.1. */
  readonly extProcPort: number;
  /** True when the picker speaks TLS (its certificate is not verified, as the charts have it). */
  readonly tls?: boolean;
  /** Default FULL_DUPLEX_STREAMED, as the charts have it. */
  readonly requestBodyMode?: BodyMode;
  readonly responseBodyMode?: BodyMode;
  /** Members of the subset hint that each request gets. */
  readonly subset?: readonly string[];
  /** Milliseconds between health checks of the picker. */
  readonly healthIntervalMs?: number;
  /** Most bytes that Envoy buffers of a body. */
  readonly bufferBytesMax?: number;
  /** What pods speak: HTTP/1.1 unless h2c is said. */
  readonly podProtocol?: "http/1.1" | "h2c";
  /** A file that gets a line of this form (Envoy's own format) when a request is over. */
  readonly accessLog?: { readonly path: string; readonly format: string };
}

/**
 * Envoy's bootstrap: one listener on a free port whose requests a picker routes, and a cluster that goes where the
 * picker's header says; set up as the stock EPP's standalone chart has it.
 */
export function envoyBootstrap(options: EnvoyOptions): object {
  return {
    admin: { address: loopback(0) },
    static_resources: {
      listeners: [
        {
          name: "clients",
          address: loopback(0),
          per_connection_buffer_limit_bytes: options.bufferBytesMax ?? 32_768,
          filter_chains: [{ filters: [connectionManager(options)] }],
        },
      ],
      clusters: [podsCluster(options), pickerCluster(options)],
    },
  };
}

const loopback = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });
const typed = (type: string, fields: object) => ({ "@type": `type.googleapis.com/${type}`, ...fields });
const http = "envoy.extensions.filters.http";

function connectionManager(options: EnvoyOptions): object {
  const route = { cluster: "pods", timeout: "86400s", idle_timeout: "86400s" };
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: typed("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", {
      stat_prefix: "clients",
      route_config: {
        virtual_hosts: [{ name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route }] }],
      },
      http_filters: [
        ...(options.subset ? [subsetFilter(options.subset)] : []),
        { name: `${http}.ext_proc`, typed_config: extProc(options) },
        {
          name: `${http}.router`,
          typed_config: typed(`${http}.router.v3.Router`, { suppress_envoy_headers: true }),
        },
      ],
      ...(options.accessLog && { access_log: [accessLog(options.accessLog)] }),
      use_remote_address: true,
      preserve_external_request_id: true,
      // Lets trailers through on HTTP/1, so that tests can send them.
      http_protocol_options: { enable_trailers: true },
    }),
  };
}

const accessLog = ({ path, format }: Required<EnvoyOptions>["accessLog"]): object => ({
  name: "envoy.access_loggers.file",
  typed_config: typed("envoy.extensions.access_loggers.file.v3.FileAccessLog", {
    path,
    log_format: { text_format_source: { inline_string: `${format}\n` } },
  }),
});

/** The filter as the standalone chart sets it up. */
const extProc = (options: EnvoyOptions): object =>
  typed(`${http}.ext_proc.v3.ExternalProcessor`, {
    failure_mode_allow: false,
    grpc_service: { envoy_grpc: { cluster_name: "picker", authority: "localhost" }, timeout: "10s" },
    processing_mode: {
      request_header_mode: "SEND",
      response_header_mode: "SEND",
      request_body_mode: options.requestBodyMode ?? "FULL_DUPLEX_STREAMED",
      response_body_mode: options.responseBodyMode ?? "FULL_DUPLEX_STREAMED",
      request_trailer_mode: "SEND",
      response_trailer_mode: "SEND",
    },
    message_timeout: "1000s",
    metadata_options: {
      forwarding_namespaces: { untyped: ["envoy.lb", "envoy.lb.subset_hint"] },
      receiving_namespaces: { untyped: ["envoy.lb"] },
    },
  });

const subsetFilter = (members: readonly string[]): object => ({
  name: `${http}.set_metadata`,
  typed_config: typed(`${http}.set_metadata.v3.Config`, {
    metadata: [
      {
        metadata_namespace: "envoy.lb.subset_hint",
        value: { "x-gateway-destination-endpoint-subset": members },
      },
    ],
  }),
});

/** The pods: whatever address the picker's header names. */
const podsCluster = ({ podProtocol }: EnvoyOptions): object => ({
  name: "pods",
  type: "ORIGINAL_DST",
  connect_timeout: "5s",
  lb_policy: "CLUSTER_PROVIDED",
  original_dst_lb_config: { use_http_header: true, http_header_name: "x-gateway-destination-endpoint" },
  typed_extension_protocol_options: protocolOptions(
    podProtocol === "h2c" ? { http2_protocol_options: {} } : { http_protocol_options: { enable_trailers: true } },
  ),
});

const pickerCluster = (options: EnvoyOptions): object => ({
  name: "picker",
  type: "STATIC",
  connect_timeout: "5s",
  health_checks: [
    {
      timeout: "2s",
      interval: `${(options.healthIntervalMs ?? 10_000) / 1000}s`,
      no_traffic_interval: `${(options.healthIntervalMs ?? 10_000) / 1000}s`,
      unhealthy_threshold: 1,
      healthy_threshold: 1,
      reuse_connection: true,
      grpc_health_check: { service_name: "envoy.service.ext_proc.v3.ExternalProcessor" },
    },
  ],
  typed_extension_protocol_options: protocolOptions({
    http2_protocol_options: { initial_stream_window_size: 65_536, initial_connection_window_size: 1_048_576 },
  }),
  load_assignment: {
    cluster_name: "picker",
    endpoints: [{ lb_endpoints: [{ endpoint: { address: loopback(options.extProcPort) } }] }],
  },
  ...(options.tls && {
    transport_socket: {
      name: "envoy.transport_sockets.tls",
      typed_config: typed("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", {
        common_tls_context: { alpn_protocols: ["h2"] },
      }),
    },
  }),
});

const protocolOptions = (explicit: object): object => ({
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    { explicit_http_config: explicit },
  ),
});

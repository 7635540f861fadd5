const HTTP2 = {
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: { http2_protocol_options: {} },
  },
};

const loopback = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });

/**
 * Envoy's bootstrap: one listener on a free port whose requests an Endpoint Picker on `pickerPort` (plain HTTP/2) routes,
 * bodies in FULL_DUPLEX_STREAMED, and a cluster that goes where the picker's header says.
 */
export function envoyBootstrap(pickerPort: number): object {
  return {
    admin: { address: loopback(0) },
    static_resources: {
      listeners: [{ name: "clients", address: loopback(0), filter_chains: [{ filters: [connectionManager()] }] }],
      clusters: [
        {
          name: "pods",
          type: "ORIGINAL_DST",
          lb_policy: "CLUSTER_PROVIDED",
          connect_timeout: "5s",
          original_dst_lb_config: { use_http_header: true, http_header_name: "x-gateway-destination-endpoint" },
        },
        {
          name: "picker",
          type: "STATIC",
          connect_timeout: "5s",
          typed_extension_protocol_options: HTTP2,
          load_assignment: {
            cluster_name: "picker",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: loopback(pickerPort) } }] }],
          },
        },
      ],
    },
  };
}

function connectionManager(): object {
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
      stat_prefix: "clients",
      // The client's own x-request-id names the request in the picker's decisions.
      preserve_external_request_id: true,
      route_config: {
        virtual_hosts: [
          {
            name: "all",
            domains: ["*"],
            routes: [{ match: { prefix: "/" }, route: { cluster: "pods", timeout: "0s" } }],
          },
        ],
      },
      http_filters: [
        {
          name: "envoy.filters.http.ext_proc",
          typed_config: {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
            grpc_service: { envoy_grpc: { cluster_name: "picker" }, timeout: "10s" },
            failure_mode_allow: false,
            message_timeout: "1000s",
            processing_mode: {
              request_header_mode: "SEND",
              request_body_mode: "FULL_DUPLEX_STREAMED",
              request_trailer_mode: "SEND",
              response_header_mode: "SEND",
              response_body_mode: "FULL_DUPLEX_STREAMED",
              response_trailer_mode: "SEND",
            },
          },
        },
        {
          name: "envoy.filters.http.router",
          typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        },
      ],
    },
  };
}

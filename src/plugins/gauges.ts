/** A family of gauges on the metrics page that plugins tell. */
export interface GaugeFamily {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

const ENDPOINT_AND_FLOW = ["endpoint_name", "namespace", "producer_name", "fairness_id", "priority"];

export const INFLIGHT_REQUESTS: GaugeFamily = {
  name: "llm_d_epp_inflight_requests",
  help: "Requests of this picker that an endpoint has and has not done.",
  labelNames: ENDPOINT_AND_FLOW,
};

export const INFLIGHT_TOKENS: GaugeFamily = {
  name: "llm_d_epp_inflight_tokens",
  help: "Tokens of this picker's requests that an endpoint has to compute.",
  labelNames: ENDPOINT_AND_FLOW,
};

/** All of them. */
export const PLUGIN_GAUGES: readonly GaugeFamily[] = [INFLIGHT_REQUESTS, INFLIGHT_TOKENS];

/** A family of gauges on the metrics page that plugins tell. */
export interface GaugeFamily {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  /**
   * Of a gauge whose labels are the plugin's name and type: the name under which older releases tell it, in sum and
   * without labels.
   */
  readonly olderName?: string;
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

export const PREFIX_INDEX_SIZE: GaugeFamily = {
  name: "llm_d_epp_prefix_indexer_size",
  help: "Blocks that a prefix index holds, over all endpoints.",
  labelNames: ["plugin_name", "plugin_type"],
  olderName: "inference_extension_prefix_indexer_size",
};

/** All of them. */
export const PLUGIN_GAUGES: readonly GaugeFamily[] = [PREFIX_INDEX_SIZE, INFLIGHT_REQUESTS, INFLIGHT_TOKENS];

/** A family of counters on the metrics page that plugins count in; plugin_name and plugin_type come before its labels. */
export interface CounterFamily {
  readonly name: string;
  /** The same counts once more under the name of older releases, without the plugin's labels. */
  readonly olderName: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

export const DISAGG_DECISIONS: CounterFamily = {
  name: "llm_d_epp_disagg_decision_total",
  olderName: "llm_d_inference_scheduler_disagg_decision_total",
  help: "Requests by the stages that ran in pods of their own.",
  labelNames: ["model_name", "decision_type"],
};

export const PD_DECISIONS: CounterFamily = {
  name: "llm_d_epp_pd_decision_total",
  olderName: "llm_d_inference_scheduler_pd_decision_total",
  help: "Requests by what the decider of pd-profile-handler said.",
  labelNames: ["model_name", "decision_type"],
};

/** All of them. */
export const PLUGIN_COUNTERS: readonly CounterFamily[] = [DISAGG_DECISIONS, PD_DECISIONS];

/** Configs for prefill, decode and encode pods, as releases generate them; without discovery. */

/** What KServe of Open Data Hub 3.5 generates for prefill and decode. */
export const KSERVE_35 = `
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: disagg-headers-handler
- type: prefill-filter
- type: decode-filter
- type: queue-scorer
- type: kv-cache-utilization-scorer
- type: active-request-scorer
- type: prefix-cache-scorer
- type: max-score-picker
- type: always-disagg-pd-decider
- type: inflight-load-producer
- type: disagg-profile-handler
  parameters:
    deciders: {prefill: always-disagg-pd-decider}
schedulingProfiles:
- name: prefill
  plugins:
  - {pluginRef: prefill-filter}
  - {pluginRef: prefix-cache-scorer, weight: 3}
  - {pluginRef: queue-scorer, weight: 2}
  - {pluginRef: kv-cache-utilization-scorer, weight: 2}
  - {pluginRef: max-score-picker}
- name: decode
  plugins:
  - {pluginRef: decode-filter}
  - {pluginRef: active-request-scorer, weight: 2}
  - {pluginRef: prefix-cache-scorer, weight: 3}
  - {pluginRef: max-score-picker}
`;

/** The same with a decider that looks at the decode pod's cache. */
export const PREFIX_BASED = KSERVE_35.replace(
  "- type: always-disagg-pd-decider",
  "- type: prefix-based-pd-decider\n  parameters: {nonCachedTokens: 64}",
).replace("prefill: always-disagg-pd-decider", "prefill: prefix-based-pd-decider");

/** What KServe generated for RHOAI 2.25: a threshold in bytes. */
export const KSERVE_225 = `
apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: prefill-header-handler
- type: prefill-filter
- type: decode-filter
- type: prefix-cache-scorer
- type: load-aware-scorer
- type: max-score-picker
- type: pd-profile-handler
  parameters: {threshold: 100}
schedulingProfiles:
- name: prefill
  plugins:
  - {pluginRef: prefill-filter}
  - {pluginRef: prefix-cache-scorer, weight: 2}
  - {pluginRef: load-aware-scorer, weight: 1}
  - {pluginRef: max-score-picker}
- name: decode
  plugins:
  - {pluginRef: decode-filter}
  - {pluginRef: prefix-cache-scorer, weight: 2}
  - {pluginRef: load-aware-scorer, weight: 1}
  - {pluginRef: max-score-picker}
`;

/** Profiles of KServe up to 3.4, with the handler of a release. */
const kserve = (apiVersion: string, handler: string) => `
apiVersion: ${apiVersion}
kind: EndpointPickerConfig
plugins:
- type: prefill-header-handler
- type: prefill-filter
- type: decode-filter
- type: prefix-cache-scorer
- type: queue-scorer
- type: max-score-picker
${handler}
schedulingProfiles:
- name: prefill
  plugins:
  - {pluginRef: prefill-filter}
  - {pluginRef: queue-scorer, weight: 2}
  - {pluginRef: prefix-cache-scorer, weight: 3}
  - {pluginRef: max-score-picker}
- name: decode
  plugins:
  - {pluginRef: decode-filter}
  - {pluginRef: queue-scorer, weight: 2}
  - {pluginRef: prefix-cache-scorer, weight: 3}
  - {pluginRef: max-score-picker}
`;
const X_K8S = "inference.networking.x-k8s.io/v1alpha1";
const LLM_D = "llm-d.ai/v1alpha1";

/** Configs that always disaggregate, by where they come from. */
export const ALWAYS: readonly (readonly [from: string, config: string])[] = [
  ["RHOAI 3.3", kserve(X_K8S, "- type: pd-profile-handler\n  parameters: {threshold: 0, hashBlockSize: 5}")],
  [
    "RHOAI 3.4",
    kserve(
      X_K8S,
      "- type: always-disagg-pd-decider\n- type: pd-profile-handler\n  parameters: {deciderPluginName: always-disagg-pd-decider}",
    ),
  ],
  [
    "llm-d 0.8, flat keys",
    kserve(
      LLM_D,
      "- type: always-disagg-pd-decider\n- type: disagg-profile-handler\n  parameters: {prefillDeciderPluginName: always-disagg-pd-decider}",
    ),
  ],
  ["llm-d, prefill first", kserve(LLM_D, "- type: disagg-profile-handler\n  parameters: {stageOrder: prefill-first}")],
];

/** Media are encoded, prompts computed and answers decoded each on pods of their own, where there are media. */
export const ENCODE = `${PREFIX_BASED.replace(
  "- type: disagg-profile-handler",
  "- type: encode-filter\n- type: always-disagg-multimodal-decider\n- type: disagg-profile-handler",
).replace("deciders: {", "deciders: {encode: always-disagg-multimodal-decider, ")}- name: encode
  plugins:
  - {pluginRef: encode-filter}
  - {pluginRef: queue-scorer, weight: 1}
  - {pluginRef: max-score-picker}
`;

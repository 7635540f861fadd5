import { noParams } from "../params.ts";
import { attributeKey } from "./data-kinds.ts";
import { defineUnbuilt } from "./define-unbuilt.ts";

const MULTICLUSTER_EXTRACTOR = "multicluster-metrics-extractor";

// 2.1, 2.2: lower is better, over what other clusters' pickers tell.
const multiclusterSignal = (type: string, attribute: string) =>
  defineUnbuilt({
    type,
    points: ["scorer"],
    stability: "alpha",
    params: noParams,
    ignoresParams: true,
    data: () => ({ wants: [attributeKey(attribute, MULTICLUSTER_EXTRACTOR)] }),
  });

export const UNBUILT_SCORERS = [
  multiclusterSignal("multicluster-queue-scorer", "llm-d.ai/multicluster-queue-size"),
  multiclusterSignal("multicluster-kv-cache-utilization-scorer", "llm-d.ai/multicluster-kv-cache-utilization"),
];

import { blockIds } from "../../core/block-ids.ts";
import { Core } from "../../core/core.ts";
import type { Decision } from "../../core/decision.ts";
import type { CoreEvent } from "../../core/events.ts";
import type { Notice } from "../../core/notices.ts";
import type { RequestFacts } from "../../core/request-facts.ts";
import { endpoint, facts } from "../../core/test-support/test-plan.ts";
import { compilePlan } from "../compile-plan.ts";

/** The config that KServe 3.5 writes for prefill and decode pods, with the decider that a test wants. */
export const configOf = (decider: string, more = "", handler = "disagg-profile-handler") => `
plugins:
- {type: disagg-headers-handler}
- ${decider}
- {type: prefill-filter}
- {type: decode-filter}
- {type: encode-filter}
- {type: always-disagg-multimodal-decider}
- {type: prefix-cache-scorer}
- {type: queue-scorer}
- {type: active-request-scorer}
- {type: inflight-load-producer}
- {type: max-score-picker, parameters: {maxNumOfEndpoints: 2}}
- {type: ${handler}${more}}
schedulingProfiles:
- name: prefill
  plugins: [{pluginRef: prefill-filter}, {pluginRef: prefix-cache-scorer, weight: 3}, {pluginRef: queue-scorer}]
- name: decode
  plugins: [{pluginRef: decode-filter}, {pluginRef: active-request-scorer, weight: 2}, {pluginRef: prefix-cache-scorer, weight: 3}]
- name: encode
  plugins: [{pluginRef: encode-filter}, {pluginRef: queue-scorer}]
`;
export const ALWAYS = "{type: always-disagg-pd-decider}";
export const BOTH =
  ", parameters: {deciders: {prefill: always-disagg-pd-decider, encode: always-disagg-multimodal-decider}}";
export const IMAGE = [{ prompt: 0, modality: "image", hash: "a", offsetTokens: 0, lengthTokens: 9 }];

/** A prompt of so many tokens, each of the value `fill`. */
export const prompt = (tokens: number, fill = 1): Partial<RequestFacts> => {
  const bytes = new Uint8Array(tokens * 4).fill(fill);
  return blockIds([{ bytes }], [64]);
};

export function scene(text: string, roles: Readonly<Record<string, string>>) {
  const notices: Notice[] = [];
  const core = new Core({ env: { seed: 3, emit: (notice) => void notices.push(notice) }, compile: compilePlan });
  const step = (event: CoreEvent): void => core.step(event);
  step({ type: "configLoaded", atUs: 0, source: { text, options: {} } });
  for (const [name, role] of Object.entries(roles)) {
    const labels = role === "" ? {} : { "llm-d.ai/role": role };
    step({
      type: "endpointUpserted",
      atUs: 0,
      endpoint: { ...endpoint(name, `10.0.0.${name.charCodeAt(0)}`), labels },
    });
  }
  const send = (key: number, more: Partial<RequestFacts>): Decision | undefined => {
    const from = notices.length;
    step({ type: "requestArrived", atUs: key, facts: facts(key, more) });
    return notices.slice(from).flatMap((notice) => (notice.type === "decision" ? [notice.decision] : []))[0];
  };
  const load = () => {
    const { plugin } = core.plan.plugins.find(({ type }) => type === "inflight-load-producer")!;
    return Object.fromEntries(Object.entries(plugin.gauges!()).filter(([, value]) => value !== 0));
  };
  const counts = () =>
    core.plan.plugins
      .flatMap(({ plugin }) => plugin.counters?.() ?? [])
      .map(({ labels, value }) => ({
        [labels["decision_type"]]: value,
      }));
  return { core, step, send, load, counts, notices };
}

const nameOf = (host: string | undefined) =>
  host?.split(",").map((part) => String.fromCharCode(+part.split(/[.:]/)[3]));
export const stagesOf = (decision: Decision | undefined) => ({
  decode: decision?.outcome.kind === "picked" ? nameOf(decision.outcome.targets.join(","))![0] : undefined,
  prefill: nameOf(decision?.headers.get("x-prefiller-host-port")),
  encode: nameOf(decision?.headers.get("x-encoder-hosts-ports")),
});

import { DEFAULT_PREFIX_PRODUCER, PEER_ENDPOINT, prefixMatchKey, tokenizedPromptKey } from "../../core/data-key.ts";
import type { Profile } from "../../core/plan.ts";
import type {
  PickResult,
  PluginContext,
  PluginInstance,
  PluginReference,
  PluginRequest,
  PrimaryResult,
  ProfileResult,
} from "../../core/plugin.ts";
import type { Rejection } from "../../core/rejection.ts";
import { DISAGG_DECISIONS } from "../counters.ts";
import type { Decider } from "../define.ts";
import { definePlugin } from "../define.ts";
import { TOKEN_PRODUCER } from "../producers/token-producer.ts";
import { deciderNamed } from "./decider-named.ts";
import type { DisaggParams } from "./disagg-params.ts";
import { disaggParams } from "./disagg-params.ts";
import { NO_DECODE, noneRan } from "./no-profile.ts";
import { tellPods } from "./pod-headers.ts";
import { stageDecision, StageDecisions } from "./stage-decisions.ts";

export const DISAGG_PROFILE_HANDLER = "disagg-profile-handler";

type Results = readonly (ProfileResult | undefined)[];

const NONE: readonly number[] = [];

const decider = (path: readonly string[], name: string): readonly PluginReference[] =>
  name === "" ? [] : [{ path, name, point: "decider" }];

/**
 * Picks a pod to decode and, where the deciders say so, others that prefill and encode for it; the decode pod is the
 * destination and is told of the others by headers.
 *
 * decode-first: decode; then encode and then prefill, each where its profile is there and its decider says yes, given
 * the decode pod. prefill-first: prefill, where its profile is there; then encode, where its decider says yes; then
 * decode. Where a decider would be asked and there is none, the stage does not run. While the later of prefill and
 * decode runs, the pick of the earlier is the request's peer endpoint, which topology affinity looks at.
 *
 * A stage that finds no pod is left out: the decode pod does its work. When decode finds none the request is refused, as
 * it is without a decode profile. Headers: x-prefiller-host-port is the first prefill pod, x-encoder-hosts-ports are
 * all encode pods; where there is none, the client's own header is taken away (--remove-client-headers). Each request
 * that got a decode pod counts in llm_d_epp_disagg_decision_total.
 * Source: scheduling/profilehandler/disagg.
 */
export const disaggProfileHandler = definePlugin(["profileHandler", "requestControl"], {
  type: DISAGG_PROFILE_HANDLER,
  params: disaggParams,
  data: () => ({ requires: [prefixMatchKey(DEFAULT_PREFIX_PRODUCER), tokenizedPromptKey(TOKEN_PRODUCER)] }),
  references: ({ deciders }) => [
    ...decider(["deciders", "prefill"], deciders.prefill),
    ...decider(["deciders", "encode"], deciders.encode),
  ],
  example: `
plugins:
- type: decode-filter
- type: prefill-filter
- type: queue-scorer
- type: prefix-cache-scorer
- type: prefix-based-pd-decider
  parameters: { nonCachedTokens: 512 }
- type: disagg-profile-handler
  parameters:
    deciders: { prefill: prefix-based-pd-decider }
schedulingProfiles:
- name: decode
  plugins:
  - pluginRef: decode-filter
  - pluginRef: prefix-cache-scorer
    weight: 2
  - pluginRef: queue-scorer
- name: prefill
  plugins:
  - pluginRef: prefill-filter
  - pluginRef: queue-scorer
`,
  create: (parsed, context) => new DisaggProfileHandler(parsed, context),
});

class DisaggProfileHandler implements PluginInstance {
  readonly #params: DisaggParams;
  readonly #context: PluginContext;
  readonly #prefillDecider: Decider | undefined;
  readonly #encodeDecider: Decider | undefined;
  readonly #decisions = new StageDecisions(DISAGG_DECISIONS.name);

  constructor(parsed: DisaggParams, context: PluginContext) {
    this.#params = parsed;
    this.#context = context;
    this.#prefillDecider = deciderNamed(context, parsed.deciders.prefill);
    this.#encodeDecider = deciderNamed(context, parsed.deciders.encode);
  }

  nextProfiles(request: PluginRequest, profiles: readonly Profile[], results: Results): readonly number[] {
    const places = this.#places(profiles);
    return this.#params.stageOrder === "prefill-first"
      ? this.#prefillFirst(request, places, results)
      : this.#decodeFirst(request, places, results);
  }

  finish(request: PluginRequest, profiles: readonly Profile[], results: Results): PrimaryResult | Rejection {
    const { decode, prefill, encode } = this.#places(profiles);
    const result = results[decode];
    if (!result) return noneRan(request);
    if (!result.ok) return result.rejection;
    if (result.rows.length === 0) return NO_DECODE;
    const ran = (place: number) => results[place]?.ok === true;
    this.#decisions.add(request.targetModel, stageDecision(ran(encode), ran(prefill)));
    return { primary: decode };
  }

  preRequest(request: PluginRequest, result: PickResult): void {
    tellPods(request, result, this.#params.profiles, this.#context.endpoints);
  }

  counters() {
    return this.#decisions.rows();
  }

  /** Index of each stage's profile; -1 for one that is not there. */
  #places(profiles: readonly Profile[]) {
    const { decode, prefill, encode } = this.#params.profiles;
    const placeOf = (wanted: string) => profiles.findIndex(({ name }) => name === wanted);
    return { decode: placeOf(decode), prefill: placeOf(prefill), encode: placeOf(encode) };
  }

  #decodeFirst(request: PluginRequest, { decode, prefill, encode }: Places, results: Results): readonly number[] {
    if (decode < 0) return NONE;
    const result = results[decode];
    if (!result) return [decode];
    if (!result.ok || result.rows.length === 0) return NONE;
    const [row] = result.rows;
    // Deciders are pure: one that said no is asked again in the next round, and says no again.
    if (waits(encode, results) && this.#encodeDecider?.decide(request, row)) return [encode];
    if (!waits(prefill, results) || !this.#prefillDecider?.decide(request, row)) return NONE;
    this.#tellPeer(request, row);
    return [prefill];
  }

  #prefillFirst(request: PluginRequest, { decode, prefill, encode }: Places, results: Results): readonly number[] {
    if (results[decode]) return NONE;
    if (waits(prefill, results)) return [prefill];
    if (waits(encode, results) && this.#encodeDecider?.decide(request, -1)) return [encode];
    if (decode < 0) return NONE;
    const prefilled = results[prefill];
    if (prefilled?.ok && prefilled.rows.length > 0) this.#tellPeer(request, prefilled.rows[0]);
    return [decode];
  }

  #tellPeer(request: PluginRequest, row: number): void {
    const { slots, generations } = request.table;
    request.put(PEER_ENDPOINT, { slot: slots[row], generation: generations[row] });
  }
}

type Places = Readonly<Record<"decode" | "prefill" | "encode", number>>;

/** True for a profile that is there and did not run. */
const waits = (place: number, results: Results): boolean => place >= 0 && results[place] === undefined;

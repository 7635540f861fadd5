import { describe, expect, it } from "vitest";
import { compilePlan } from "../config/compile-plan.ts";
import { pluginExample } from "../config/plugin-example.ts";
import { readBlueprint } from "../config/blueprint.ts";
import { blockIds } from "../core/block-ids.ts";
import { Core } from "../core/core.ts";
import type { Picked, Rejected } from "../core/decision.ts";
import type { CoreEvent } from "../core/events.ts";
import type { Notice } from "../core/notices.ts";
import type { CompilePlan } from "../core/plan.ts";
import { NO_CANDIDATES } from "../core/rejection.ts";
import { endpoint, facts } from "../core/test-support/test-plan.ts";
import { PLUGINS } from "./list.ts";

const OPTIONS = { "allow-experimental-plugins": true };
const PODS = ["pod-0", "pod-1", "pod-2", "pod-3"] as const;
const KEY = 5;
const ASK = "test";
const PROMPT = [{ bytes: new Uint8Array(Uint32Array.from({ length: 300 }, (_, i) => i).buffer) }];
const LABELS = {
  "llm-d.ai/role": "encode-prefill-decode",
  tier: "gold",
  "kubernetes.io/hostname": "node-1",
  "llm-d.ai/context-length-range": "0-4096",
};

const describedPod = (name: string, labels: Readonly<Record<string, string>> = LABELS) => ({
  ...endpoint(name, `10.0.0.${name.slice(4)}`),
  labels,
});

/** The plan of a config, whose requests wait for an answer before they are scheduled. */
const parking: CompilePlan = (source, context) => {
  const plan = compilePlan(source, context);
  const plugin = { prepare: () => ({ kind: ASK, payload: null }), resume: () => undefined };
  return { ...plan, plugins: [...plan.plugins, { name: "parking", type: "test", plugin }] };
};

type Untimed<E = CoreEvent> = E extends CoreEvent ? Omit<E, "atUs"> : never;

/** A core under a config with four pods, one request served before, and another that waits before its scheduling. */
function parked(text: string) {
  const notices: Notice[] = [];
  const core = new Core({ env: { seed: 1, emit: (notice) => void notices.push(notice) }, compile: parking });
  let atUs = 0;
  const step = (event: Untimed) => core.step({ ...event, atUs: (atUs += 1000) });
  step({ type: "configLoaded", source: { text, options: OPTIONS } });
  for (const name of PODS) step({ type: "endpointUpserted", endpoint: describedPod(name) });
  const rows = [...core.endpoints.slots()].map((slot) => ({
    slot,
    generation: core.endpoints.generation[slot],
    waiting: slot,
    running: 1,
    kvUsage: 0.1,
  }));
  step({ type: "signals", rows });
  const headers = {
    "test-epp-endpoint-selection": "10.0.0.3,10.0.0.2,10.0.0.1,10.0.0.0",
    "x-session-id": "s",
    "x-slice": "gold",
  };
  /** Answers what the tests ask, and lets the time pass that plugins wait. */
  const settle = () => {
    for (;;) {
      const ask = openAsk(notices);
      const dueAtUs = core.nextDueAtUs();
      if (ask >= 0) step({ type: "askAnswered", ask, value: null });
      else if (dueAtUs !== undefined) core.step({ type: "timePassed", atUs: (atUs = dueAtUs) });
      else return;
    }
  };
  const arrive = (key: number) => {
    const { blocks, inputTokens } = blockIds(PROMPT, core.blockSizesTokens());
    step({ type: "requestArrived", facts: facts(key, { headers, blocks, inputTokens }) });
  };
  arrive(KEY - 1);
  settle();
  step({ type: "responseStarted", key: KEY - 1 });
  step({ type: "requestEnded", key: KEY - 1, cause: "natural" });
  arrive(KEY);
  const outcome = (): Picked | Rejected => {
    settle();
    const decisions = notices.flatMap((notice) => (notice.type === "decision" ? [notice.decision] : []));
    return decisions.find((decision) => decision.facts.key === KEY)!.outcome;
  };
  const failures = () => notices.filter(({ type }) => type === "pluginFailed" || type === "hookFailed");
  return { core, step, outcome, failures };
}

/** Id of the tests' own ask that is not over; -1 when there is none. */
function openAsk(notices: readonly Notice[]): number {
  const over = new Set(notices.flatMap((notice) => (notice.type === "askOver" ? [notice.ask] : [])));
  const asks = notices.flatMap((notice) => (notice.type === "ask" && notice.ask.kind === ASK ? [notice.ask.id] : []));
  return asks.find((id) => !over.has(id)) ?? -1;
}

/** Ids of what was picked; none when the filters of the config left nothing. */
function pickedIds(outcome: Picked | Rejected): readonly string[] {
  if (outcome.kind === "picked") return outcome.endpointIds;
  expect(outcome.rejection.code).not.toBe("Internal");
  return [];
}

const EXAMPLES = PLUGINS.flatMap((plugin) => {
  const text = pluginExample(plugin);
  return readBlueprint({ text, options: OPTIONS }).unbuilt.length === 0 ? [[plugin.type, text] as const] : [];
});

describe.each(EXAMPLES)("while a request waits under the example of %s", (_type, text) => {
  it("an endpoint that goes is picked no more", () => {
    const { step, outcome, failures } = parked(text);
    step({ type: "endpointRemoved", id: "default/pod-0" });
    step({ type: "endpointRemoved", id: "default/pod-2" });
    for (const id of pickedIds(outcome())) expect(["default/pod-1", "default/pod-3"]).toContain(id);
    expect(failures()).toEqual([]);
  });

  it("another endpoint in its slot is not taken for it", () => {
    const { core, step, outcome, failures } = parked(text);
    const slot = core.endpoints.slotOf("default/pod-0");
    step({ type: "endpointRemoved", id: "default/pod-0" });
    step({ type: "endpointUpserted", endpoint: describedPod("pod-9") });
    expect(core.endpoints.slotOf("default/pod-9")).toBe(slot);
    for (const id of pickedIds(outcome())) expect(PODS.slice(1).map((pod) => `default/${pod}`)).toContain(id);
    expect(failures()).toEqual([]);
  });

  it("all may go: that is a 503", () => {
    const { step, outcome, failures } = parked(text);
    for (const pod of PODS) step({ type: "endpointRemoved", id: `default/${pod}` });
    const { code, droppedReason } = NO_CANDIDATES;
    expect(outcome()).toMatchObject({ kind: "rejected", rejection: { code, droppedReason } });
    expect(failures()).toEqual([]);
  });

  it("labels may go: what is left is decided by what there is", () => {
    const { step, outcome, failures } = parked(text);
    for (const pod of PODS) step({ type: "endpointUpserted", endpoint: describedPod(pod, {}) });
    pickedIds(outcome());
    expect(failures()).toEqual([]);
  });

  it("the picked endpoint may go before it answers: all is given back", () => {
    const { core, step, outcome, failures } = parked(text);
    for (const id of pickedIds(outcome())) step({ type: "endpointRemoved", id });
    step({ type: "responseStarted", key: KEY, served: "10.0.0.3:8000" });
    step({ type: "responseFirstByte", key: KEY });
    step({ type: "requestEnded", key: KEY, cause: "client-disconnect" });
    expect(core.requestCount).toBe(0);
    for (const { plugin } of core.plan.plugins) {
      for (const [gauge, value] of Object.entries(plugin.gauges?.() ?? {})) {
        if (gauge.startsWith("inflight")) expect([gauge, value]).toEqual([gauge, 0]);
      }
    }
    expect(failures()).toEqual([]);
  });
});

it("most examples pick an endpoint of the four", () => {
  const picking = EXAMPLES.filter(([, text]) => pickedIds(parked(text).outcome()).length > 0);
  expect(picking.length).toBeGreaterThan(EXAMPLES.length / 2);
});

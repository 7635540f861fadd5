import { describe, expect, it } from "vitest";
import { Core } from "../core/core.ts";
import type { Notice } from "../core/notices.ts";
import { endpoint, facts } from "../core/test-support/test-plan.ts";
import { InflightColumns } from "../plugins/producers/inflight-columns.ts";
import { compilePlan } from "./compile-plan.ts";

const configOf = (handler: string) => `
plugins:
- ${handler}
- {type: max-score-picker, parameters: {maxNumOfEndpoints: 2}}
- type: active-request-scorer
schedulingProfiles:
- name: decode
  plugins: [{pluginRef: active-request-scorer}, {pluginRef: max-score-picker}]
`;
const HANDLERS = [
  "type: data-parallel-profile-handler",
  "{type: pd-profile-handler, parameters: {primaryPort: 8000, deciderPluginName: always-disagg-pd-decider}}\n- type: always-disagg-pd-decider",
];

/** Two pods of two ranks each, at ports 8000 and 8001. */
function scene(handler: string) {
  const notices: Notice[] = [];
  const core = new Core({ env: { seed: 3, emit: (notice) => void notices.push(notice) }, compile: compilePlan });
  core.step({ type: "configLoaded", atUs: 0, source: { text: configOf(handler), options: {} } });
  for (const pod of [1, 2]) {
    for (const rank of [0, 1]) {
      const described = endpoint(`pod-${pod}-rank-${rank}`, `10.0.0.${pod}`, 8000 + rank);
      core.step({ type: "endpointUpserted", atUs: 0, endpoint: described });
    }
  }
  const load = new InflightColumns(core.endpoints, "inflight-load-producer");
  const pick = (key: number) => {
    core.step({ type: "requestArrived", atUs: key, facts: facts(key, { inputTokens: 0 }) });
    const last = notices.flatMap((notice) => (notice.type === "decision" ? [notice.decision.outcome] : [])).at(-1);
    if (last?.kind !== "picked") throw new Error("Cannot go on: found no pick");
    return last;
  };
  const idOf = (slot: number) => core.endpoints.description[slot].id;
  const loads = () => [...core.endpoints.slots()].map((slot) => load.requests(slot));
  return { core, pick, loads, idOf };
}

describe.each(HANDLERS)("a handler that sends ranks to their shared port (%s)", (handler) => {
  it("leaves the load with the rank that was picked when the proxy names the shared port", () => {
    const { core, pick, loads } = scene(handler);
    for (let key = 0; key < 4; key++) {
      const { targets } = pick(key);
      core.step({ type: "responseStarted", atUs: 9, key, served: targets[0] });
    }
    expect(loads()).toEqual([1, 1, 1, 1]);
    for (let key = 0; key < 4; key++) core.step({ type: "requestEnded", atUs: 10, key, cause: "natural" });
    expect(loads()).toEqual([0, 0, 0, 0]);
  });

  it("leaves it when the pick that the proxy fell back to is gone, and another has its place", () => {
    const { core, pick, loads, idOf } = scene(handler);
    let key = 0;
    let picked = pick(key);
    while (picked.targets[0] === picked.targets[1]) {
      core.step({ type: "requestEnded", atUs: 30, key, cause: "natural" });
      picked = pick(++key);
    }
    const { slots, targets } = picked;
    core.step({ type: "endpointRemoved", atUs: 30, id: idOf(slots[1]) });
    core.step({ type: "endpointUpserted", atUs: 30, endpoint: endpoint("new", "10.0.0.9") });
    core.step({ type: "responseStarted", atUs: 30, key, served: targets[1] });
    expect(core.endpoints.slotOf("default/new")).toBe(slots[1]);
    expect(loads().reduce((sum, load) => sum + load)).toBe(1);
    core.step({ type: "requestEnded", atUs: 31, key, cause: "natural" });
    expect(loads()).toEqual([0, 0, 0, 0]);
  });

  it("moves it to the pick that the proxy fell back to", () => {
    const { core, pick, loads } = scene(handler);
    let moves = 0;
    for (let key = 0; key < 20; key++) {
      const { slots, targets } = pick(key);
      if (targets[0] === targets[1]) {
        core.step({ type: "requestEnded", atUs: 30, key, cause: "natural" });
        continue;
      }
      moves++;
      core.step({ type: "responseStarted", atUs: 30, key, served: targets[1] });
      expect(loads()).toEqual([0, 1, 2, 3].map((slot) => Number(slot === slots[1])));
      core.step({ type: "requestEnded", atUs: 30, key, cause: "natural" });
    }
    expect(moves).toBeGreaterThan(0);
    expect(loads()).toEqual([0, 0, 0, 0]);
  });
});

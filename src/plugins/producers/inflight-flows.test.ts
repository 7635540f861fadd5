import { describe, expect, it } from "vitest";
import { poolOf } from "../test-support/fixture.ts";
import { InflightFlows } from "./inflight-flows.ts";

const requestsOf = (flows: InflightFlows) =>
  Object.fromEntries(
    flows
      .rows()
      .filter(({ gauge }) => gauge === "llm_d_epp_inflight_requests")
      .map(({ labels, value }) => [`${labels["endpoint_name"]} ${labels["fairness_id"]} ${labels["priority"]}`, value]),
  );

describe("load by flow", () => {
  it("is told by endpoint, flow and priority, and stays at 0 when it is done", () => {
    const flows = new InflightFlows(poolOf([{}, {}]), "p");
    flows.add(0, { fairnessId: "f", priority: 0 }, 1, 64);
    flows.add(0, { fairnessId: "f", priority: -1 }, 1, 64);
    flows.add(1, { fairnessId: "g", priority: 0 }, 1, 64);
    flows.add(1, { fairnessId: "g", priority: 0 }, -1, -64);
    expect(requestsOf(flows)).toEqual({ "pod-0 f 0": 1, "pod-0 f -1": 1, "pod-1 g 0": 0 });
  });

  it("goes with its endpoint", () => {
    const flows = new InflightFlows(poolOf([{}]), "p");
    flows.add(0, { fairnessId: "f", priority: 0 }, 1, 64);
    flows.remove(0);
    expect(flows.rows()).toEqual([]);
  });

  it("tells flows beyond the thousandth of an endpoint as one, and gives back what they had", () => {
    const flows = new InflightFlows(poolOf([{}]), "p");
    for (let i = 0; i < 1005; i++) flows.add(0, { fairnessId: `f${i}`, priority: 0 }, 1, 1);
    expect(Object.keys(requestsOf(flows))).toHaveLength(1001);
    expect(requestsOf(flows)["pod-0 other 0"]).toBe(5);
    for (let i = 0; i < 1005; i++) flows.add(0, { fairnessId: `f${i}`, priority: 0 }, -1, -1);
    expect(requestsOf(flows)["pod-0 other 0"]).toBe(0);
  });
});

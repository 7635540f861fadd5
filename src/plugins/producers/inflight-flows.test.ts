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
    flows.release(flows.add(1, { fairnessId: "g", priority: 0 }, 1, 64), 1, 64);
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
    const added = Array.from({ length: 1005 }, (_, i) => flows.add(0, { fairnessId: `f${i}`, priority: 0 }, 1, 1));
    expect(Object.keys(requestsOf(flows))).toHaveLength(1001);
    expect(requestsOf(flows)["pod-0 other 0"]).toBe(5);
    for (const flow of added) flows.release(flow, 1, 1);
    expect(requestsOf(flows)["pod-0 other 0"]).toBe(0);
  });

  it("keeps at most 20,000 flows over all endpoints, and gives back what one had before others made room", () => {
    const flows = new InflightFlows(poolOf(Array.from({ length: 21 }, () => ({}))), "p");
    for (let slot = 0; slot < 20; slot++) {
      for (let i = 0; i < 1000; i++) flows.add(slot, { fairnessId: `f${i}`, priority: 0 }, 1, 1);
    }
    const early = flows.add(20, { fairnessId: "a", priority: 0 }, 1, 1);
    flows.add(20, { fairnessId: "b", priority: 0 }, 1, 1);
    expect(flows.rows()).toHaveLength(2 * 20_001);
    flows.remove(0);
    flows.add(20, { fairnessId: "a", priority: 0 }, 1, 1);
    flows.release(early, 1, 1);
    const told = Object.entries(requestsOf(flows)).filter(([name]) => name.startsWith("pod-20 "));
    expect(Object.fromEntries(told)).toEqual({ "pod-20 a 0": 1, "pod-20 other 0": 1 });
  });

  it("keeps no name of more than 256 characters", () => {
    const flows = new InflightFlows(poolOf([{}]), "p");
    flows.add(0, { fairnessId: "f".repeat(256), priority: 0 }, 1, 1);
    flows.add(0, { fairnessId: "f".repeat(257), priority: 0 }, 1, 1);
    expect(requestsOf(flows)).toEqual({ [`pod-0 ${"f".repeat(256)} 0`]: 1, "pod-0 other 0": 1 });
  });
});

import { describe, expect, it } from "vitest";
import { stageDecision, StageDecisions } from "./stage-decisions.ts";

describe("stage decisions", () => {
  it("are named by the stages that ran", () => {
    expect(stageDecision(false, false)).toBe("decode-only");
    expect(stageDecision(false, true)).toBe("prefill-decode");
    expect(stageDecision(true, false)).toBe("encode-decode");
    expect(stageDecision(true, true)).toBe("encode-prefill-decode");
  });

  it("count by model and decision; a request without a model is of model unknown", () => {
    const decisions = new StageDecisions("c");
    for (const model of ["m", "m", ""]) decisions.add(model, "decode-only");
    decisions.add("m", "prefill-decode");
    expect(decisions.rows()).toEqual([
      { counter: "c", labels: { model_name: "m", decision_type: "decode-only" }, value: 2 },
      { counter: "c", labels: { model_name: "m", decision_type: "prefill-decode" }, value: 1 },
      { counter: "c", labels: { model_name: "unknown", decision_type: "decode-only" }, value: 1 },
    ]);
  });

  it("hold at most 1,000 models, none with a name of over 256 characters; the rest is other", () => {
    const decisions = new StageDecisions("c");
    decisions.add("x".repeat(257), "decode-only");
    for (let i = 0; i < 2000; i++) decisions.add(`m${i}`, "decode-only");
    const rows = decisions.rows();
    expect(rows).toHaveLength(1000);
    expect(rows[0]).toMatchObject({ labels: { model_name: "other" }, value: 1002 });
    decisions.add("m0", "decode-only");
    expect(decisions.rows()[1]).toMatchObject({ labels: { model_name: "m0" }, value: 2 });
  });
});

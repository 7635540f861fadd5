import { describe, expect, it } from "vitest";
import type { Decision } from "../core/decision.ts";
import type { PluginInstance } from "../core/plugin.ts";
import { endpoint, facts, testCompiler, testCore } from "../core/test-support/test-plan.ts";
import { viewDecision, type DecisionView } from "./decision-view.ts";

/** Views of the decisions on `requests` requests over pods a, b and c. */
function decide(extra: readonly PluginInstance[], names = ["a", "b", "c"]): { view: DecisionView; decision: Decision } {
  const { step } = testCore({ compile: testCompiler(() => extra) });
  for (const [i, name] of names.entries()) {
    step({ type: "endpointUpserted", atUs: 0, endpoint: endpoint(name, `10.0.0.${i}`) });
  }
  const notices = step({ type: "requestArrived", atUs: 1, facts: facts(5, { inputTokens: 42 }) });
  const notice = notices.find((each) => each.type === "decision")!;
  return { view: viewDecision(notice.decision), decision: notice.decision };
}

describe("a decision in words", () => {
  it("names who was picked, each scorer with its weight, and each candidate's scores and total", () => {
    const half: PluginInstance = { score: (_request, { count }, out) => void out.fill(0.5, 0, count) };
    const { view } = decide([half]);
    expect(view).toMatchObject({ sequence: 0, requestId: "r5", inputTokens: 42, refusal: undefined });
    expect(view.scorers).toEqual([
      { name: "plugin-0", weight: 1 },
      { name: "plugin-1", weight: 1 },
    ]);
    expect(view.candidates).toEqual(
      ["a", "b", "c"].map((name) => ({
        endpoint: `default/${name}`,
        droppedBy: undefined,
        scores: [1, 0.5],
        total: 1.5,
      })),
    );
    expect(view.picked).toHaveLength(1);
    expect(view.candidates.map((candidate) => candidate.endpoint)).toContain(view.picked[0]);
  });

  it("tells which filter dropped a candidate", () => {
    const dropsFirst: PluginInstance = {
      filter(_request, { count }, keep) {
        for (let i = 1; i < count; i++) keep[i - 1] = i;
        return count - 1;
      },
    };
    const { view } = decide([dropsFirst]);
    expect(view.candidates[0]).toEqual({ endpoint: "default/a", droppedBy: "plugin-1", scores: [], total: 0 });
    expect(view.candidates[1].scores).toEqual([1]);
  });

  it("tells why a request was refused", () => {
    const { view } = decide([], []);
    expect(view).toMatchObject({
      picked: [],
      refusal: "failed to find endpoint candidates for serving the request",
      candidates: [],
    });
  });

  it("is plain data that survives JSON", () => {
    const { view } = decide([]);
    expect(JSON.parse(JSON.stringify(view))).toEqual(JSON.parse(JSON.stringify({ ...view })));
    expect(JSON.stringify(view)).not.toContain("null");
  });
});

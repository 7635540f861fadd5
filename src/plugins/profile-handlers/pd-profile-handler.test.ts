import { describe, expect, it } from "vitest";
import type { PluginInstance } from "../../core/plugin.ts";
import { FILTERED_OUT } from "../../core/rejection.ts";
import { make, poolOf, requestOf, resultOf, targetOf } from "../test-support/fixture.ts";
import type { StageOutcome } from "../test-support/stages.ts";
import { runStages } from "../test-support/stages.ts";
import { disaggHeadersHandler, prefillHeaderHandler } from "./disagg-headers-handler.ts";
import { pdProfileHandler } from "./pd-profile-handler.ts";

const endpoints = poolOf([{}, {}, {}]);
const yes: PluginInstance = { decide: (_request, row) => row === 1 };
const no: PluginInstance = { decide: () => false };

const handlerOf = (params: object) =>
  make(pdProfileHandler, params, endpoints, { others: { yes, no, "prefix-based-pd-decider": no } });
const decisions = (handler: Required<PluginInstance>) =>
  handler.counters().map(({ counter, labels, value }) => [counter, labels["decision_type"], value]);

describe("pd-profile-handler", () => {
  type Row = readonly [
    what: string,
    params: object,
    outcomes: Record<string, StageOutcome>,
    ran: string,
    decision: string,
  ];
  const table: readonly Row[] = [
    ["both", { deciderPluginName: "yes" }, { decode: [1], prefill: [2] }, "decode prefill", "prefill-decode"],
    [
      "decode alone when the decider says no",
      { deciderPluginName: "no" },
      { decode: [1], prefill: [2] },
      "decode",
      "decode-only",
    ],
    ["decode alone by the default decider", {}, { decode: [1], prefill: [2] }, "decode", "decode-only"],
    [
      "on without a prefill pod",
      { deciderPluginName: "yes" },
      { decode: [1], prefill: "filtered-out" },
      "decode prefill",
      "prefill-decode",
    ],
    [
      "decode alone without a prefill profile",
      { deciderPluginName: "yes" },
      { decode: [1], encode: [2] },
      "decode",
      "decode-only",
    ],
    [
      "prefill once beside a profile that is not its own",
      { deciderPluginName: "yes" },
      { decode: [1], prefill: [2], encode: [0] },
      "decode prefill",
      "prefill-decode",
    ],
    [
      "profiles of other names",
      { deciderPluginName: "yes", decodeProfile: "d", prefillProfile: "p" },
      { p: [0], d: [1] },
      "d p",
      "prefill-decode",
    ],
  ];
  it.each(table)("runs %s", (_what, params, outcomes, ran, decision) => {
    const handler = handlerOf(params);
    const staged = runStages(handler, requestOf(endpoints), outcomes);
    expect(staged.ran.join(" ")).toBe(ran);
    expect(staged.primary).toMatch(/^d/);
    expect(decisions(handler)).toEqual([["llm_d_epp_pd_decision_total", decision, 1]]);
  });

  it("counts nothing where decode is the only profile", () => {
    const handler = handlerOf({ deciderPluginName: "yes" });
    expect(runStages(handler, requestOf(endpoints), { decode: [1] }).primary).toBe("decode");
    expect(decisions(handler)).toEqual([]);
  });

  it("refuses when there is no decode pod, and without a decode profile; neither counts", () => {
    const handler = handlerOf({ deciderPluginName: "yes" });
    expect(runStages(handler, requestOf(endpoints), { decode: "filtered-out", prefill: [1] })).toMatchObject({
      ran: ["decode"],
      outcome: FILTERED_OUT,
    });
    expect(runStages(handler, requestOf(endpoints), { decode: [] }).outcome).toMatchObject({
      message: "failed to find target endpoint: failed to find available decode workers",
    });
    expect(runStages(handler, requestOf(endpoints), { prefill: [1] }).outcome).toMatchObject({
      code: "ResourceExhausted",
    });
    expect(decisions(handler)).toEqual([]);
  });

  it("with a primary port sends to that port, names the rank in a header and tells no scores", () => {
    const request = requestOf(endpoints);
    const { outcome } = runStages(handlerOf({ primaryPort: 9000 }), request, { decode: [1, 0] });
    expect(outcome).toEqual({ primary: 0, targets: ["10.0.0.1:9000", "10.0.0.0:9000"], hidesScores: true });
    expect(request.header("x-data-parallel-host-port")).toBe(endpoints.target[1]);
    expect(runStages(handlerOf({}), requestOf(endpoints), { decode: [1] }).outcome).toEqual({ primary: 0 });
  });

  it("can't be made without its decider", () => {
    expect(() => handlerOf({ deciderPluginName: "gone" })).toThrow('found no decider "gone"');
    expect(() => make(pdProfileHandler, {}, endpoints)).toThrow('found no decider "prefix-based-pd-decider"');
  });

  it.each([-1, 65_536, 1.5, "8000"])("takes no primary port %s", (primaryPort) => {
    expect(pdProfileHandler.params.safeParse({ primaryPort }).success).toBe(false);
  });
});

describe.each([disaggHeadersHandler, prefillHeaderHandler])("$type", (type) => {
  const made = (params: object) => make(type, params, endpoints);
  const sent = { headers: { "x-prefiller-host-port": "10.9.9.9:1", "x-encoder-hosts-ports": "10.9.9.9:2" } };
  const headersOf = (request: ReturnType<typeof requestOf>) => [
    request.header("x-prefiller-host-port"),
    request.header("x-encoder-hosts-ports"),
  ];
  const [a, b, c] = endpoints.target;

  it("names the pods of its profiles and passes on nothing of the client's", () => {
    const request = requestOf(endpoints, sent);
    const picks = [
      targetOf(request, 0, "decode"),
      targetOf(request, 1, "p"),
      targetOf(request, 2, "e"),
      targetOf(request, 0, "e"),
    ];
    made({ prefillProfile: "p", encodeProfile: "e" }).preRequest(request, resultOf(picks));
    expect(headersOf(request)).toEqual([b, `${c},${a}`]);
    const other = requestOf(endpoints, sent);
    made({}).preRequest(other, resultOf(picks));
    expect(headersOf(other)).toEqual([undefined, undefined]);
  });

  it("leaves what another plugin told of this decision, and replaces it by its own, in their order", () => {
    const told = (first: object, second: object) => {
      const request = requestOf(endpoints, sent);
      const result = resultOf([targetOf(request, 0, "decode"), targetOf(request, 1, "p"), targetOf(request, 2, "q")]);
      made(first).preRequest(request, result);
      made(second).preRequest(request, result);
      return headersOf(request);
    };
    expect(told({ prefillProfile: "p" }, { prefillProfile: "none" })).toEqual([b, undefined]);
    expect(told({ prefillProfile: "none" }, { prefillProfile: "p" })).toEqual([b, undefined]);
    expect(told({ prefillProfile: "p" }, { prefillProfile: "q" })).toEqual([c, undefined]);
  });
});

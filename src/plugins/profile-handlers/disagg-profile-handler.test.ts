import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PluginInstance } from "../../core/plugin.ts";
import { FILTERED_OUT } from "../../core/rejection.ts";
import { make, poolOf, requestOf, resultOf, targetOf } from "../test-support/fixture.ts";
import type { StageOutcome } from "../test-support/stages.ts";
import { runStages } from "../test-support/stages.ts";
import { disaggProfileHandler } from "./disagg-profile-handler.ts";

const endpoints = poolOf([{}, {}, {}, {}]);
const yes: PluginInstance = { decide: () => true };
const no: PluginInstance = { decide: () => false };
/** Asks for a stage of its own unless there is a pod before it. */
const withoutPod: PluginInstance = { decide: (_request, row) => row < 0 };

const handlerOf = (params: object, others: Readonly<Record<string, PluginInstance>> = { yes, no, withoutPod }) =>
  make(disaggProfileHandler, params, endpoints, { others });

const decisionOf = (handler: Required<PluginInstance>) =>
  handler.counters().map(({ labels, value }) => `${labels["model_name"]} ${labels["decision_type"]} ${value}`);

const all = { decode: [1], prefill: [2], encode: [3, 0] };

describe("disagg-profile-handler", () => {
  type Row = readonly [
    what: string,
    params: object,
    outcomes: Record<string, StageOutcome>,
    ran: string,
    decision: string,
  ];
  const both = { prefill: "yes", encode: "yes" };
  const decodeFirst: readonly Row[] = [
    ["all stages", { deciders: both }, all, "decode encode prefill<1", "encode-prefill-decode"],
    ["prefill", { deciders: { prefill: "yes", encode: "no" } }, all, "decode prefill<1", "prefill-decode"],
    ["encode", { deciders: { prefill: "no", encode: "yes" } }, all, "decode encode", "encode-decode"],
    ["decode alone, as nothing decides otherwise", {}, all, "decode", "decode-only"],
    [
      "decode alone, as the deciders want no more",
      { deciders: { prefill: "no", encode: "no" } },
      all,
      "decode",
      "decode-only",
    ],
    ["decode alone, as there are no other profiles", { deciders: both }, { decode: [0] }, "decode", "decode-only"],
    [
      "on without a prefill pod",
      { deciders: { prefill: "yes" } },
      { decode: [1], prefill: "filtered-out" },
      "decode prefill<1",
      "decode-only",
    ],
    [
      "on without an encode pod",
      { deciders: both },
      { ...all, encode: "filtered-out" },
      "decode encode prefill<1",
      "prefill-decode",
    ],
    [
      "deciders with the decode pod",
      { deciders: { prefill: "withoutPod", encode: "withoutPod" } },
      all,
      "decode",
      "decode-only",
    ],
    [
      "profiles of other names",
      { profiles: { decode: "d", prefill: "p" }, deciders: both },
      { p: [2], d: [1], encode: [3] },
      "d encode p<1",
      "encode-prefill-decode",
    ],
    [
      "the decider of the newer of two flat keys",
      { decodeProfile: "d", prefillProfile: "p", prefillDeciderPluginName: "no", deciderPluginName: "yes" },
      { p: [2], d: [1] },
      "d",
      "decode-only",
    ],
    [
      "the flat form",
      { decodeProfile: "d", prefillProfile: "p", deciderPluginName: "yes" },
      { p: [2], d: [1] },
      "d p<1",
      "prefill-decode",
    ],
  ];
  const prefillFirst: readonly Row[] = [
    ["all stages", { deciders: { encode: "yes" } }, all, "prefill encode decode<2", "encode-prefill-decode"],
    ["prefill without being asked", {}, all, "prefill decode<2", "prefill-decode"],
    ["decode alone, as there are no other profiles", {}, { decode: [0] }, "decode", "decode-only"],
    [
      "encode, with no pod to go by",
      { deciders: { encode: "withoutPod" } },
      all,
      "prefill encode decode<2",
      "encode-prefill-decode",
    ],
    [
      "on without a prefill pod, and without a peer",
      {},
      { ...all, prefill: "filtered-out" },
      "prefill decode",
      "decode-only",
    ],
    [
      "on without an encode pod",
      { deciders: { encode: "yes" } },
      { ...all, encode: "filtered-out" },
      "prefill encode decode<2",
      "prefill-decode",
    ],
  ];
  const run = ([, params, outcomes, ran, decision]: Row) => {
    const handler = handlerOf(params);
    const request = requestOf(endpoints, { model: "m" });
    const staged = runStages(handler, request, outcomes);
    expect(staged.ran.join(" ")).toBe(ran);
    expect(staged.primary).toBe(Object.keys(outcomes).find((name) => name.startsWith("d")));
    expect(decisionOf(handler)).toEqual([`m ${decision} 1`]);
  };
  it.each(decodeFirst)("decode-first runs %s", (...row) => run(row));
  it.each(prefillFirst)("prefill-first runs %s", (what, params, ...row) => {
    run([what, { ...params, stageOrder: "Prefill_First" }, ...row]);
  });

  for (const stageOrder of ["decode-first", "prefill-first"]) {
    it(`${stageOrder}: refuses when there is no decode pod, and counts nothing`, () => {
      const handler = handlerOf({ stageOrder, deciders: { encode: "yes" } });
      const { ran, outcome } = runStages(handler, requestOf(endpoints), { ...all, decode: "filtered-out" });
      expect(outcome).toBe(FILTERED_OUT);
      expect(ran.at(-1)).toMatch(/^decode/);
      expect(handler.counters()).toEqual([]);
    });

    it(`${stageOrder}: refuses when the decode profile picks nothing`, () => {
      const deciders = stageOrder === "decode-first" ? both : { encode: "yes" };
      const { ran, outcome } = runStages(handlerOf({ stageOrder, deciders }), requestOf(endpoints), {
        ...all,
        decode: [],
      });
      expect(ran.at(-1)).toMatch(/^decode/);
      expect(outcome).toEqual({
        code: "ResourceExhausted",
        message: "failed to find target endpoint: failed to find available decode workers",
      });
    });

    it(`${stageOrder}: refuses without a decode profile`, () => {
      const { outcome } = runStages(handlerOf({ stageOrder }), requestOf(endpoints, { requestId: "r-1" }), {
        other: [0],
      });
      expect(outcome).toEqual({
        code: "ResourceExhausted",
        message: "failed to find target endpoint: failed to run any scheduler profile for request r-1",
      });
    });
  }

  it("can't be made with a decider that is not there, or is none", () => {
    expect(() => handlerOf({ deciders: { prefill: "gone" } })).toThrow(
      'Cannot make disagg-profile-handler: found no decider "gone", expected one that is declared',
    );
    expect(() => handlerOf({ deciders: { encode: "scorer" } }, { scorer: { score: () => undefined } })).toThrow(
      'found no decider "scorer"',
    );
  });

  it("ends, runs no profile twice and names decode primary, whatever stages there are and come to", () => {
    const outcome: fc.Arbitrary<StageOutcome> = fc.oneof(
      fc.constant("filtered-out" as const),
      fc.uniqueArray(fc.nat(3), { maxLength: 3 }),
    );
    const name = fc.constantFrom("decode", "prefill", "encode", "other");
    const decider = fc.constantFrom("", "yes", "no", "withoutPod");
    fc.assert(
      fc.property(fc.dictionary(name, outcome), decider, decider, fc.boolean(), (outcomes, prefill, encode, first) => {
        const params = first
          ? { stageOrder: "prefill-first", deciders: { encode } }
          : { deciders: { prefill, encode } };
        const handler = handlerOf(params);
        const { ran, primary } = runStages(handler, requestOf(endpoints), outcomes);
        const names = ran.map((text) => text.split("<")[0]);
        expect(new Set(names).size).toBe(names.length);
        expect(names).not.toContain("other");
        const decoded = outcomes["decode"];
        const isServed = decoded !== undefined && decoded !== "filtered-out" && decoded.length > 0;
        expect(primary).toBe(isServed ? "decode" : undefined);
        expect(handler.counters()).toHaveLength(isServed ? 1 : 0);
      }),
    );
  });
});

describe("disagg-profile-handler's headers", () => {
  const handler = handlerOf({});
  const sent = { headers: { "x-prefiller-host-port": "10.9.9.9:1", "x-encoder-hosts-ports": "10.9.9.9:2" } };
  const headersAfter = (picks: Parameters<typeof resultOf>[0]) => {
    const request = requestOf(endpoints, sent);
    handler.preRequest(request, resultOf(picks));
    return [request.header("x-prefiller-host-port"), request.header("x-encoder-hosts-ports")];
  };
  const request = requestOf(endpoints);
  const pick = (row: number, profile: string) => targetOf(request, row, profile);
  const [a, b, c, d] = endpoints.target;

  it("name the first prefill pod and all encode pods, in the order of their picks", () => {
    expect(
      headersAfter([pick(0, "decode"), pick(1, "prefill"), pick(2, "prefill"), pick(3, "encode"), pick(1, "encode")]),
    ).toEqual([b, `${d},${b}`]);
    expect(headersAfter([pick(1, "decode"), pick(2, "encode")])).toEqual([undefined, c]);
    expect(headersAfter([pick(1, "decode"), pick(0, "prefill")])).toEqual([a, undefined]);
  });

  it("never pass on what the client sent", () => {
    expect(headersAfter([pick(0, "decode")])).toEqual([undefined, undefined]);
  });
});

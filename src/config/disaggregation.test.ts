import { describe, expect, it } from "vitest";
import type { RequestFacts } from "../core/request-facts.ts";
import { endpoint } from "../core/test-support/test-plan.ts";
import { ALWAYS, BOTH, configOf, IMAGE, prompt, scene, stagesOf } from "./test-support/disagg-scene.ts";

describe("a disaggregated request", () => {
  const roles = { d: "decode", p: "prefill", e: "encode", f: "encode" };

  it("has a pod for each stage, and all encode pods", () => {
    const { send, counts } = scene(configOf(ALWAYS, BOTH), roles);
    const { encode, ...others } = stagesOf(send(0, { ...prompt(200), media: IMAGE }));
    expect(others).toEqual({ decode: "d", prefill: ["p"] });
    expect(new Set(encode)).toEqual(new Set(["e", "f"]));
    expect(stagesOf(send(1, prompt(200)))).toEqual({ decode: "d", prefill: ["p"], encode: undefined });
    expect(counts()).toEqual([{ "encode-prefill-decode": 1 }, { "prefill-decode": 1 }]);
  });

  it("goes to a pod without a role for decode, never for prefill or encode (trap 8)", () => {
    const { send, counts } = scene(configOf(ALWAYS, BOTH), { u: "" });
    expect(stagesOf(send(0, { ...prompt(200), media: IMAGE }))).toEqual({
      decode: "u",
      prefill: undefined,
      encode: undefined,
    });
    expect(counts()).toEqual([{ "decode-only": 1 }]);
  });

  it("without prefill and encode pods is decode only, without decode pods refused (trap 10)", () => {
    const withoutPrefill = scene(configOf(ALWAYS, BOTH), { d: "decode" });
    expect(stagesOf(withoutPrefill.send(0, prompt(200))).decode).toBe("d");
    const withoutDecode = scene(configOf(ALWAYS, BOTH), { p: "prefill", e: "encode" });
    expect(withoutDecode.send(0, prompt(200))?.outcome).toMatchObject({
      kind: "rejected",
      rejection: { code: "ResourceExhausted", droppedReason: "rejected-saturated" },
    });
    expect(withoutDecode.counts()).toEqual([]);
    expect(withoutDecode.core.requestCount).toBe(0);
    expect(withoutDecode.load()).toEqual({});
  });

  it("with prefill-first runs prefill whatever a prefill decider would say", () => {
    const more = ", parameters: {stageOrder: prefill-first}";
    const { send } = scene(configOf("{type: prefix-based-pd-decider}", more), roles);
    expect(stagesOf(send(0, prompt(200)))).toEqual({ decode: "d", prefill: ["p"], encode: undefined });
  });

  it("counts on its prefill pod until the first byte, on its decode pod until the end", () => {
    const { step, send, load } = scene(configOf(ALWAYS, BOTH), roles);
    send(0, { ...prompt(200), media: IMAGE });
    const before = load();
    expect(Object.entries(before).filter(([name]) => name.includes("requests"))).not.toEqual([]);
    const requests = () => Object.entries(load()).filter(([name]) => name.includes("requests"));
    const [[, atArrival]] = requests();
    // decode, prefill and the first encode pod
    expect(atArrival).toBe(3);
    step({ type: "responseStarted", atUs: 1, key: 0 });
    step({ type: "responseFirstByte", atUs: 2, key: 0 });
    expect(requests()[0][1]).toBe(2);
    step({ type: "requestEnded", atUs: 3, key: 0, cause: "natural" });
    expect(load()).toEqual({});
  });

  it("leaves its prefix with the prefill pod as well as with the decode pod", () => {
    const { step, send } = scene(configOf(ALWAYS, BOTH), { d: "decode", p: "prefill", q: "prefill" });
    const first = stagesOf(send(0, prompt(640)));
    for (let key = 1; key < 6; key++) {
      step({ type: "requestEnded", atUs: key, key: key - 1, cause: "natural" });
      expect(stagesOf(send(key, prompt(640)))).toEqual(first);
    }
    const others = Array.from({ length: 12 }, (_, i) => stagesOf(send(10 + i, prompt(640, 10 + i))).prefill![0]);
    expect(new Set(others)).toEqual(new Set(["p", "q"]));
  });

  it("goes on when its prefill pod is gone, and gives back what it put there once", () => {
    const { core, step, send, load } = scene(configOf(ALWAYS, BOTH), roles);
    send(0, prompt(200));
    step({ type: "endpointRemoved", atUs: 1, id: "default/p" });
    step({
      type: "endpointUpserted",
      atUs: 2,
      endpoint: { ...endpoint("n", "10.0.0.110"), labels: { "llm-d.ai/role": "prefill" } },
    });
    step({ type: "responseFirstByte", atUs: 3, key: 0 });
    step({ type: "requestEnded", atUs: 4, key: 0, cause: "client-disconnect" });
    expect({ load: load(), left: core.requestCount }).toEqual({ load: {}, left: 0 });
    expect(stagesOf(send(1, prompt(200))).prefill).toEqual(["n"]);
  });

  it("takes no pod that went while it waited for its tokens", () => {
    const { step, send, notices } = scene(configOf(ALWAYS, BOTH), { d: "decode", p: "prefill", q: "prefill" });
    // No block ids of the size that the index wants: it asks for them, and waits.
    expect(send(0, { ...prompt(200), blocks: [] })).toBeUndefined();
    const ask = notices.flatMap((notice) => (notice.type === "ask" ? [notice.ask] : []))[0];
    step({ type: "endpointRemoved", atUs: 1, id: "default/p" });
    step({ type: "askAnswered", atUs: 2, ask: ask.id, value: null });
    const decided = notices.flatMap((notice) => (notice.type === "decision" ? [notice.decision] : []))[0];
    expect(stagesOf(decided)).toEqual({ decode: "d", prefill: ["q"], encode: undefined });
  });

  it("is the same for equal events, and holds no pod back, at 1,000 endpoints", () => {
    const many = () => {
      const s = scene(configOf(ALWAYS, BOTH), {});
      for (let i = 0; i < 1000; i++) {
        const labels = { "llm-d.ai/role": ["decode", "prefill", "encode"][i % 3] };
        s.step({
          type: "endpointUpserted",
          atUs: 0,
          endpoint: { ...endpoint(`pod-${i}`, `10.1.${i >> 8}.${i & 255}`), labels },
        });
      }
      for (let key = 0; key < 20; key++) s.send(key, { ...prompt(128, key), media: IMAGE });
      for (let key = 0; key < 20; key++) s.step({ type: "requestEnded", atUs: 100, key, cause: "error" });
      return { hash: s.core.decisionHash, load: s.load(), counts: s.counts() };
    };
    const first = many();
    expect(first).toMatchObject({ load: {}, counts: [{ "encode-prefill-decode": 20 }] });
    expect(many()).toEqual(first);
  });
});

describe("deciders of a config", () => {
  const roles = { d: "decode", p: "prefill" };
  const prefills = (text: string, more: Partial<RequestFacts>) =>
    stagesOf(scene(text, roles).send(0, more)).prefill !== undefined;
  const pd = (parameters: string) =>
    configOf("{type: no-hit-lru-scorer}", `, parameters: {${parameters}}`, "pd-profile-handler");

  it("prefix-based with nonCachedTokens 0 is off; an old threshold of 0 always prefills (trap 9)", () => {
    const decider = "{type: prefix-based-pd-decider, parameters: {nonCachedTokens: 0}}";
    const named = ", parameters: {deciders: {prefill: prefix-based-pd-decider}}";
    expect(prefills(configOf(decider, named), prompt(5000))).toBe(false);
    expect(prefills(pd("threshold: 0"), prompt(1))).toBe(true);
    expect(prefills(pd(""), prompt(1))).toBe(true);
  });

  it("an old threshold counts bytes of the prompt", () => {
    const bytes = (promptBytes: number) => ({ ...prompt(Math.ceil(promptBytes / 4)), promptBytes });
    expect(prefills(pd("threshold: 101, hashBlockSize: 64"), bytes(100))).toBe(false);
    expect(prefills(pd("threshold: 101, hashBlockSize: 64"), bytes(101))).toBe(true);
  });

  it("an old threshold takes off what the decode pod holds", () => {
    const second = (tokens: number) => {
      const { step, send } = scene(pd("threshold: 300"), roles);
      expect(stagesOf(send(0, prompt(128))).prefill).toEqual(["p"]);
      step({ type: "requestEnded", atUs: 0, key: 0, cause: "natural" });
      return stagesOf(send(1, prompt(tokens))).prefill;
    };
    // 512 bytes are held: 296 and 300 are not.
    expect(second(202)).toBeUndefined();
    expect(second(203)).toEqual(["p"]);
  });

  it("that are missing are told with their place", () => {
    const load = (more: string) => () => scene(configOf(ALWAYS, more), {});
    expect(load(", parameters: {deciders: {prefill: gone}}")).toThrow(
      /plugins\[11\]\.parameters\.deciders\.prefill: found "gone", expected a plugin that is declared/,
    );
    expect(load(", parameters: {deciders: {encode: queue-scorer}}")).toThrow(
      /found "queue-scorer" of type queue-scorer, expected a decider/,
    );
  });
});

import { describe, expect, it } from "vitest";
import type { CoreEvent } from "./events.ts";
import type { Notice } from "./notices.ts";
import type { PluginInstance } from "./plugin.ts";
import { endpoint, facts, testCompiler, testCore } from "./test-support/test-plan.ts";

const boom = (): never => {
  throw new Error("boom");
};
const upsert = (name: string, address?: string): CoreEvent => ({
  type: "endpointUpserted",
  atUs: 0,
  endpoint: endpoint(name, address),
});
const arrive = (key: number, more = {}): CoreEvent => ({ type: "requestArrived", atUs: 0, facts: facts(key, more) });
const end = (key: number): CoreEvent => ({ type: "requestEnded", atUs: 0, key, cause: "natural" });
const outcomes = (notices: readonly Notice[]) =>
  notices.flatMap((notice) => (notice.type === "decision" ? [notice.decision.outcome] : []));
const failures = (notices: readonly Notice[]) => notices.filter(({ type }) => type === "hookFailed");

/** A core whose plan has a broken plugin before the one that counts what it is told. */
function withBroken(broken: PluginInstance) {
  const told: string[] = [];
  const counting: PluginInstance = {
    preRequest: () => void told.push("preRequest"),
    moved: () => void told.push("moved"),
    responseStarted: () => void told.push("responseStarted"),
    responseFirstByte: () => void told.push("responseFirstByte"),
    requestEnded: () => void told.push("requestEnded"),
    endpointAdded: (slot) => void told.push(`added ${slot}`),
    endpointRemoved: (slot) => void told.push(`removed ${slot}`),
  };
  return { ...testCore({ compile: testCompiler(() => [broken, counting]) }), told };
}

describe("a plugin that throws when it is told something", () => {
  it.each(["responseStarted", "responseFirstByte", "requestEnded"] as const)(
    "in %s keeps it from no other plugin, and the request ends as ever",
    (hook) => {
      const { step, core, told } = withBroken({ [hook]: boom });
      step(upsert("a"));
      step(arrive(0));
      const notices = [
        ...step({ type: "responseStarted", atUs: 0, key: 0 }),
        ...step({ type: "responseFirstByte", atUs: 0, key: 0 }),
        ...step(end(0)),
      ];
      expect(told).toEqual(["added 0", "preRequest", "responseStarted", "responseFirstByte", "requestEnded"]);
      expect(failures(notices)).toEqual([{ type: "hookFailed", plugin: "plugin-1", hook, cause: "Error: boom" }]);
      expect(notices.at(-1)).toEqual({ type: "requestReleased", request: 0 });
      expect(core.requestCount).toBe(0);
    },
  );

  it("in moved keeps the reservation from moving in no other plugin", () => {
    const { step, core, told } = withBroken({ moved: boom });
    step(upsert("a", "10.0.0.1"));
    step(upsert("b", "10.0.0.2"));
    const [picked] = outcomes(step(arrive(0)));
    const slot = picked.kind === "picked" ? picked.slots[0] : -1;
    const served = core.endpoints.target[1 - slot];
    expect(failures(step({ type: "responseStarted", atUs: 0, key: 0, served }))).toMatchObject([{ hook: "moved" }]);
    expect(told).toEqual(["added 0", "added 1", "preRequest", "moved", "responseStarted"]);
    expect(core.endpoints.column("test-inflight").values[1 - slot]).toBe(1);
  });

  it("in endpointAdded or endpointRemoved keeps no endpoint from coming or going", () => {
    const { step, core, told } = withBroken({ endpointAdded: boom, endpointRemoved: boom });
    expect(failures(step(upsert("a", "10.0.0.1")))).toMatchObject([{ hook: "endpointAdded" }]);
    expect(failures(step(upsert("a", "10.0.0.2")))).toMatchObject([{ hook: "endpointRemoved" }, {}]);
    step({ type: "endpointRemoved", atUs: 0, id: "default/a" });
    expect(core.endpoints.size).toBe(0);
    step(upsert("b"));
    expect(failures(step({ type: "configLoaded", atUs: 0, source: { text: "", options: {} } }))).toHaveLength(1);
    expect(told).toEqual(["added 0", "removed 0", "added 0", "removed 0", "added 0", "added 0"]);
  });
});

describe("a plugin that throws while a request is decided", () => {
  it.each(["readHeaders", "screen", "produce", "deny", "prepare", "filter", "score", "preRequest"] as const)(
    "in %s costs that request alone, which is answered and holds nothing",
    (method) => {
      let broken = true;
      const plugin: PluginInstance = {
        // Lets everything pass while it works.
        [method]: (_request: unknown, candidates?: { count: number }, keep?: Int32Array) => {
          if (broken) boom();
          keep?.forEach((_, place) => (keep[place] = place));
          return keep && candidates!.count;
        },
      };
      const { step, core } = withBroken(plugin);
      step(upsert("a"));
      const notices = step(arrive(0));
      expect(notices).toContainEqual({ type: "pluginFailed", request: 0, cause: "Error: boom" });
      expect(outcomes(notices)).toMatchObject([{ rejection: { message: "request could not be scheduled" } }]);
      expect(core.requestCount).toBe(0);
      expect(core.endpoints.column("test-inflight").values[0] || 0).toBe(0);
      broken = false;
      expect(outcomes(step(arrive(1)))).toMatchObject([{ endpointIds: ["default/a"] }]);
    },
  );

  it("in requestEnded after a failed pre-request keeps it from no answer", () => {
    const { step, told } = withBroken({ preRequest: boom, requestEnded: boom });
    step(upsert("a"));
    expect(outcomes(step(arrive(0)))).toMatchObject([{ kind: "rejected" }]);
    expect(told).toEqual(["added 0", "requestEnded"]);
  });
});

it("a scorer that throws leaves no score of an older decision in the reasons", () => {
  let broken = false;
  const scorers: PluginInstance[] = [
    { score: () => void (broken && boom()) },
    { score: (_request, _candidates, out) => void out.fill(0.5) },
  ];
  const { step, core } = testCore({ limits: { decisionsKept: 1 }, compile: testCompiler(() => scorers) });
  step(upsert("a"));
  for (const raw of [
    [1, 0, 0.5],
    [0.5, 0, 0],
  ]) {
    step(arrive(core.decisionCount));
    expect([...core.decisions.get(core.decisionCount - 1)!.profiles[0].raw]).toEqual(raw);
    broken = true;
  }
});

describe("a plugin that answers nonsense", () => {
  const broken = (more: PluginInstance, at: "handler" | "picker") =>
    testCore({
      compile(source, context) {
        const plan = testCompiler()(source, context);
        if (at === "handler")
          return { ...plan, handler: { ...plan.handler, plugin: { ...plan.handler.plugin, ...more } } };
        const [profile] = plan.profiles;
        const picker = { ...profile.picker, plugin: { ...profile.picker.plugin, ...more } };
        return { ...plan, profiles: [{ ...profile, picker }] };
      },
    });

  it.each([
    ["asks for a profile that is not there", { nextProfiles: () => [7] }, "handler"],
    ["names a primary profile that is not there", { finish: () => ({ primary: 7 }) }, "handler"],
    ["picks beyond the candidates", { pick: (_r, _c, _t, picks: Int32Array) => ((picks[0] = 5), 1) }, "picker"],
    ["picks more than there are", { pick: () => 2 }, "picker"],
    ["picks a place below 0", { pick: (_r, _c, _t, picks: Int32Array) => ((picks[0] = -1), 1) }, "picker"],
    ["picks none", { pick: () => 0 }, "picker"],
  ] as [string, PluginInstance, "handler" | "picker"][])("and %s costs that request alone", (_what, more, at) => {
    const { step, core } = broken(more, at);
    step(upsert("a"));
    for (const key of [0, 1]) {
      const notices = step(arrive(key));
      expect(outcomes(notices)).toMatchObject([{ kind: "rejected" }]);
      const [failed] = notices;
      if (failed.type === "pluginFailed") expect(failed.cause).toMatch(/^Error: Cannot (use the choice|run profile)/);
    }
    expect(core.requestCount).toBe(0);
    expect(core.decisionCount).toBe(2);
  });

  it("and keeps places that are not there as a filter, likewise", () => {
    const filters: PluginInstance[] = [{ filter: () => 2 }, { filter: (_r, _c, keep) => ((keep[0] = -1), 1) }];
    for (const filter of filters) {
      const { step } = testCore({ compile: testCompiler(() => [filter]) });
      step(upsert("a"));
      expect(outcomes(step(arrive(0)))).toMatchObject([{ rejection: { message: "request could not be scheduled" } }]);
    }
  });
});

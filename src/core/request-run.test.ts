import { describe, expect, it } from "vitest";
import type { CoreEvent } from "./events.ts";
import type { Decision } from "./decision.ts";
import type { Notice } from "./notices.ts";
import type { Plan } from "./plan.ts";
import type { PluginInstance, ReservedTarget } from "./plugin.ts";
import type { RequestFacts } from "./request-facts.ts";
import { endpoint, facts, testCompiler, testCore } from "./test-support/test-plan.ts";

const arrive = (key: number, more: Partial<RequestFacts> = {}, atUs = 0): CoreEvent => ({
  type: "requestArrived",
  atUs,
  facts: facts(key, more),
});
const answer = (ask: number): CoreEvent => ({ type: "askAnswered", atUs: 0, ask, value: ask });
const decisions = (notices: readonly Notice[]): Decision[] =>
  notices.flatMap((notice) => (notice.type === "decision" ? [notice.decision] : []));
const outcomeOf = (notices: readonly Notice[]) => decisions(notices)[0].outcome;

/** A core of pods 10.0.0.0, 10.0.0.1 ... with the given plugins. */
function withPlugins(plugins: readonly PluginInstance[], pods = 1, change: (plan: Plan) => Partial<Plan> = () => ({})) {
  const t = testCore({
    compile(source, context) {
      const plan = testCompiler(() => plugins)(source, context);
      return { ...plan, ...change(plan) };
    },
  });
  for (let i = 0; i < pods; i++)
    t.step({ type: "endpointUpserted", atUs: 0, endpoint: endpoint(`pod-${i}`, `10.0.0.${i}`) });
  return t;
}

describe("a request's model, priority and flow", () => {
  const targets: [string, Partial<RequestFacts>, string][] = [
    ["the body's model", {}, "m"],
    ["the rewrite header's, new name first", { headers: { "x-llm-d-model-name-rewrite": "r" } }, "r"],
    ["the older header's", { headers: { "x-gateway-model-name-rewrite": "old" } }, "old"],
    ["none where the body can't be rewritten", { rewritable: false }, ""],
    ["but the header's still", { rewritable: false, headers: { "x-llm-d-model-name-rewrite": "r" } }, "r"],
  ];
  it.each(targets)("%s", (_what, more, target) => {
    const { step } = withPlugins([]);
    expect(decisions(step(arrive(0, more)))[0].targetModel).toBe(target);
  });

  it("has the priority of its objective as long as that is there, else 0", () => {
    const { step } = withPlugins([]);
    const headers = { "x-gateway-inference-objective": "batch" };
    const priority = (key: number) => decisions(step(arrive(key, { headers })))[0].priority;
    expect(priority(0)).toBe(0);
    step({ type: "objectiveUpserted", atUs: 0, name: "batch", priority: 7 });
    expect(priority(1)).toBe(7);
    step({ type: "objectiveRemoved", atUs: 0, name: "batch" });
    expect(priority(2)).toBe(0);
  });

  it("takes the flow of its header, else of a plugin, else the default one", () => {
    const naming: PluginInstance = { readHeaders: () => ({ fairnessId: "plugin's" }) };
    const flow = (plugins: PluginInstance[], headers: Record<string, string>) =>
      decisions(withPlugins(plugins).step(arrive(0, { headers })))[0].fairnessId;
    expect(flow([], {})).toBe("default-flow");
    expect(flow([naming], {})).toBe("plugin's");
    expect(flow([naming], { "x-llm-d-inference-fairness-id": "own" })).toBe("own");
    expect(flow([naming], { "x-gateway-inference-fairness-id": "" })).toBe("plugin's");
  });

  it("is refused by a plugin that reads its headers", () => {
    const rejection = { code: "Unauthorized", message: "no" } as const;
    const { step } = withPlugins([{ readHeaders: () => rejection }]);
    expect(outcomeOf(step(arrive(0)))).toEqual({ kind: "rejected", rejection });
  });
});

describe("a request's candidates", () => {
  /** A screener that lets pods of these numbers stay. */
  const letting = (...pods: number[]): PluginInstance => ({
    screen(_request, { count, slots }, keep) {
      let kept = 0;
      for (let i = 0; i < count; i++) if (pods.includes(slots[i])) keep[kept++] = i;
      return kept;
    },
  });

  it("are those that every screener lets stay, each seeing all", () => {
    const { step, core } = withPlugins([letting(0, 1, 3), letting(3, 2, 1)], 4);
    step(arrive(0));
    expect(core.decisions.get(0)!.ids.slice(0, core.decisions.get(0)!.rowCount)).toEqual([
      "default/pod-1",
      "default/pod-3",
    ]);
  });

  it("are none when the screeners leave none, and nothing is produced then", () => {
    const produce = () => "must not be called";
    const { step } = withPlugins([letting(0), letting(1), { produce }], 2);
    const notices = step(arrive(0));
    expect(outcomeOf(notices)).toMatchObject({
      rejection: { message: "screeners eliminated all endpoint candidates" },
    });
    expect(notices).toHaveLength(1);
  });

  it("are those of the subset hint, unless the plan ignores it", () => {
    const subset = ["10.0.0.1:1", "10.0.0.7"];
    const ids = (honoursSubset: boolean) => {
      const { step, core } = withPlugins([], 3, () => ({ honoursSubset }));
      step(arrive(0, { subset }));
      return core.decisions.get(0)!.rowCount;
    };
    expect(ids(true)).toBe(1);
    expect(ids(false)).toBe(3);
  });

  it("are looked at before producers run: without any, none does", () => {
    const { step } = withPlugins([{ produce: () => "must not be called" }], 0);
    const notices = step(arrive(0));
    expect(notices.map(({ type }) => type)).toEqual(["decision"]);
  });
});

describe("producers and those that prepare", () => {
  const log: string[] = [];
  const asking = (name: string, times = 1): PluginInstance => {
    let asked = 0;
    return {
      produce: () => (log.push(`${name} asks`), asked++, { kind: name, payload: null }),
      resume: (_request, value) => {
        log.push(`${name} got ${String(value)}`);
        return asked++ < times ? { kind: name, payload: null } : undefined;
      },
    };
  };
  const producing = (name: string): PluginInstance => ({ produce: () => void log.push(name) });

  it("run one after the other, each once, whatever is asked in between", () => {
    log.length = 0;
    const prepare = (name: string): PluginInstance => ({
      prepare: () => (log.push(`${name} prepares`), { kind: name, payload: null }),
      resume: (_request, value) => (log.push(`${name} got ${String(value)}`), name === "d" ? "d failed" : undefined),
    });
    const { step } = withPlugins([prepare("d"), producing("a"), asking("b", 2), producing("c"), prepare("e")]);
    for (const event of [arrive(0), answer(0), answer(1), answer(2)]) expect(decisions(step(event))).toEqual([]);
    const last = step(answer(3));
    // What fails to prepare ends nothing.
    expect(last.map(({ type }) => type)).toEqual(["askOver", "decision"]);
    expect(log).toEqual(["a", "b asks", "b got 0", "b got 1", "c", "d prepares", "d got 2", "e prepares", "e got 3"]);
  });

  it("have 400 ms for what they ask, unless they say otherwise", () => {
    const { step, core } = withPlugins([asking("b")]);
    step(arrive(0, {}, 5));
    expect(core.nextDueAtUs()).toBe(400_005);
  });

  it("trap 7: fail without costing the request, but later ones do not run", () => {
    log.length = 0;
    const { step } = withPlugins([producing("a"), { produce: () => "broken" }, producing("c")]);
    const notices = step(arrive(0));
    expect(log).toEqual(["a"]);
    expect(notices[0]).toEqual({ type: "producerFailed", request: 0, plugin: "plugin-2", cause: "broken" });
    expect(outcomeOf(notices).kind).toBe("picked");
  });
});

describe("admitters", () => {
  it("trap 7: refuse as Internal in the stock's words, or in their own, the first one that does", () => {
    const own = { code: "PreconditionFailed", message: "cold" } as const;
    const outcome = (...plugins: PluginInstance[]) => outcomeOf(withPlugins(plugins).step(arrive(0)));
    const yes: PluginInstance = { deny: () => undefined };
    const no: PluginInstance = { deny: () => "too busy" };
    expect(outcome(yes, no, { deny: () => own })).toEqual({
      kind: "rejected",
      rejection: { code: "Internal", message: "request cannot be admitted: too busy" },
    });
    expect(outcome(yes, { deny: () => own }, no)).toEqual({ kind: "rejected", rejection: own });
    expect(outcome(yes)).toMatchObject({ kind: "picked" });
  });
});

describe("the pick", () => {
  /** Two profiles of the same kind; the second is the primary one. */
  const twoProfiles =
    (finish: PluginInstance["finish"] = () => ({ primary: 1 })) =>
    (plan: Plan): Partial<Plan> => ({
      profiles: ["first", "second"].map((name) => ({ ...plan.profiles[0], name })),
      handler: {
        ...plan.handler,
        plugin: { nextProfiles: (_request, _profiles, results) => (results[0] ? [] : [0, 1]), finish },
      },
    });

  it("is told to plugins with the first pick of each profile, the primary's first", () => {
    const told: [string, readonly ReservedTarget[]][] = [];
    const { step } = withPlugins(
      [{ preRequest: (_request, { primary, targets }) => void told.push([primary, targets]) }],
      1,
      twoProfiles(),
    );
    step(arrive(0));
    const [[primary, targets]] = told;
    expect(primary).toBe("second");
    expect(targets.map(({ profile, slot, row }) => [profile, slot, row])).toEqual([
      ["second", 0, 0],
      ["first", 0, 0],
    ]);
  });

  it("is told with all picks of each profile, best first, the primary's first", () => {
    const told: (readonly ReservedTarget[])[] = [];
    const pickAll: PluginInstance["pick"] = (_request, { count }, _totals, picks) => {
      for (let i = 0; i < count; i++) picks[i] = count - 1 - i;
      return count;
    };
    const { step } = withPlugins([{ preRequest: (_request, { picks }) => void told.push(picks) }], 3, (plan) => {
      const { profiles = [], ...others } = twoProfiles()(plan);
      const picker = { name: "all", type: "test", plugin: { pick: pickAll } };
      return { ...others, profiles: [profiles[0], { ...profiles[1], picker }] };
    });
    step(arrive(0));
    const [picks] = told;
    expect(picks.slice(0, 3).map(({ profile, row }) => [profile, row])).toEqual([
      ["second", 2],
      ["second", 1],
      ["second", 0],
    ]);
    expect(picks.slice(3).map(({ profile }) => profile)).toEqual(["first"]);
  });

  it("goes to the handler's destinations where it names some, and may hide its scores", () => {
    const finish = () => ({ primary: 1, targets: ["10.9.9.9:1"], hidesScores: true });
    const { step, core } = withPlugins([], 1, twoProfiles(finish));
    const [decision] = decisions(step(arrive(0)));
    expect(decision.outcome).toMatchObject({ targets: ["10.9.9.9:1"], endpointIds: ["default/pod-0"], slots: [0] });
    expect(decision.scores()).toBeUndefined();
    expect(core.decisions.get(0)!.primary).toBe(1);
  });

  it("is a refusal when the primary profile picked none, and nothing is reserved", () => {
    const { step, core } = withPlugins([], 1, (plan) => {
      const [profile] = plan.profiles;
      return { profiles: [{ ...profile, picker: { ...profile.picker, plugin: { pick: () => 0 } } }] };
    });
    const notices = step(arrive(0));
    expect(outcomeOf(notices)).toMatchObject({
      rejection: { message: "failed to find target endpoint: primary profile picked none" },
    });
    expect(notices).toHaveLength(1);
    expect(core.requestCount).toBe(0);
  });
});

describe("a request without a body", () => {
  it("goes to each endpoint as often as to the others, by a draw of its own, and leaves nothing behind", () => {
    const { step, core } = withPlugins([], 4);
    const counts = [0, 0, 0, 0];
    for (let key = 0; key < 4000; key++) {
      const outcome = outcomeOf(step(arrive(key, { bodyless: true })));
      if (outcome.kind === "picked") counts[outcome.slots[0]]++;
    }
    expect(core.requestCount).toBe(0);
    for (const count of counts) expect(count).toBeGreaterThan(900);
  });

  it("is named without brackets at an IPv6 address, as stock", () => {
    const { step } = withPlugins([], 0);
    step({ type: "endpointUpserted", atUs: 0, endpoint: endpoint("six", "2001:db8::1") });
    expect(outcomeOf(step(arrive(0, { bodyless: true })))).toMatchObject({ targets: ["2001:db8::1:8000"] });
    expect(outcomeOf(step(arrive(1)))).toMatchObject({ targets: ["[2001:db8::1]:8000"] });
  });
});

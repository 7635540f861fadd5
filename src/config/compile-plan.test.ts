import { describe, expect, it } from "vitest";
import { CORE_HEADERS } from "../core/control-headers.ts";
import { Core } from "../core/core.ts";
import { Endpoints } from "../core/endpoints.ts";
import type { CoreEvent } from "../core/events.ts";
import { DEFAULT_MEDIA } from "../core/media.ts";
import type { Notice } from "../core/notices.ts";
import { endpoint, facts } from "../core/test-support/test-plan.ts";
import { InflightColumns } from "../plugins/producers/inflight-columns.ts";
import { compilePlan } from "./compile-plan.ts";
import { ConfigError } from "./config-error.ts";

const context = () => ({ endpoints: new Endpoints(), seed: 1, limits: { prefixIndexBytesMax: 1 << 20 } });

describe("a plan", () => {
  it("of the built-in default has its plugins made, by their points", () => {
    const plan = compilePlan({ text: "", options: {} }, context());
    expect(plan.profiles[0].scorers.map(({ type, weight }) => [type, weight])).toEqual([
      ["queue-scorer", 2],
      ["kv-cache-utilization-scorer", 2],
      ["prefix-cache-scorer", 3],
    ]);
    expect(plan.producers.map(({ type }) => type)).toEqual(["token-producer", "approx-prefix-cache-producer"]);
    expect(plan.parsers.map(({ type }) => type)).toEqual([
      "openai-parser",
      "anthropic-parser",
      "vllmhttp-parser",
      "passthrough-parser",
    ]);
    expect(plan).toMatchObject({ screeners: [], admitters: [], tokenizes: true, honoursSubset: true });
    expect(plan.headerNames).toEqual(CORE_HEADERS);
    expect(plan.plugins).toHaveLength(14);
  });

  it("runs a plugin that no profile names, as long as it is declared", () => {
    const text = "plugins: [{type: inflight-load-producer}, {type: queue-scorer}]";
    expect(compilePlan({ text, options: {} }, context()).producers.map(({ name }) => name)).toEqual([
      "token-producer",
      "inflight-load-producer",
    ]);
  });

  it("needs no tokens when nothing reads them", () => {
    const text = "plugins: [{type: queue-scorer}]";
    expect(compilePlan({ text, options: {} }, context()).tokenizes).toBe(false);
  });

  it("counts media as the first token producer says", () => {
    const mediaOf = (text: string) => compilePlan({ text, options: {} }, context()).media;
    const producer = (name: string, tokens: number) =>
      `{type: token-producer, name: ${name}, parameters: {estimate: {image: {mode: static, static: {staticToken: ${tokens}}}}}}`;
    expect(mediaOf("plugins: [{type: prefix-cache-scorer}]")).toEqual(DEFAULT_MEDIA);
    expect(mediaOf("plugins: [{type: queue-scorer}]")).toBeUndefined();
    expect(mediaOf(`plugins: [{type: queue-scorer}, ${producer("a", 7)}, ${producer("b", 9)}]`)).toEqual({
      ...DEFAULT_MEDIA,
      image: { mode: "static", tokens: 7 },
    });
  });

  it("takes its options by the names of the flags", () => {
    const plan = compilePlan({ text: "", options: { "disable-endpoint-subset-filter": true } }, context());
    expect(plan.honoursSubset).toBe(false);
  });

  it("is frozen", () => {
    const plan = compilePlan({ text: "", options: {} }, context());
    for (const part of [plan, plan.profiles, plan.profiles[0], plan.profiles[0].scorers, plan.plugins]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it("makes one plugin of an entry that is used at several places", () => {
    const text = `plugins: [{type: utilization-detector}, {type: queue-scorer}]
schedulingProfiles: [{name: default, plugins: [{pluginRef: utilization-detector}, {pluginRef: queue-scorer}]}]`;
    const plan = compilePlan({ text, options: {} }, context());
    expect(plan.profiles[0].filters[0].plugin).toBe(plan.saturationDetector.plugin);
  });

  it("throws with all that is wrong", () => {
    expect(() => compilePlan({ text: "plugins: [{type: x}, {type: y}]", options: {} }, context())).toThrow(ConfigError);
  });

  it("does without policies of flow control while its gate is closed", () => {
    const plan = compilePlan(
      { text: "plugins: [{type: edf-ordering-policy}, {type: queue-scorer}]", options: {} },
      context(),
    );
    expect(plan.blueprint.plugins[0].name).toBe("edf-ordering-policy");
    expect(plan.plugins.map(({ name }) => name)).not.toContain("edf-ordering-policy");
    expect(plan.blueprint.warnings).toEqual([
      "config:1:18: plugins[0].type: has no effect without the feature gate flowControl",
    ]);
  });

  it("throws for what is understood and not built, with its place", () => {
    const text = "featureGates: [flowControl]\nplugins: [{type: queue-scorer}]";
    expect(() => compilePlan({ text, options: {} }, context())).toThrow(
      "config:1:16: featureGates[0]: found feature gate flowControl, which this release does not build yet",
    );
  });
});

/** A core with a config and equal pods. */
function pool(text: string, pods: number) {
  const notices: Notice[] = [];
  const core = new Core({ env: { seed: 3, emit: (notice) => void notices.push(notice) }, compile: compilePlan });
  core.step({ type: "configLoaded", atUs: 0, source: { text, options: {} } });
  for (let i = 0; i < pods; i++) {
    core.step({ type: "endpointUpserted", atUs: 0, endpoint: endpoint(`pod-${i}`, `10.0.0.${i}`) });
  }
  const picked = (event: CoreEvent): string | undefined => {
    const from = notices.length;
    core.step(event);
    for (const notice of notices.slice(from)) {
      if (notice.type === "decision" && notice.decision.outcome.kind === "picked")
        return notice.decision.outcome.endpointIds[0];
    }
    return undefined;
  };
  return { core, notices, picked };
}

describe("a core with a compiled plan", () => {
  it("spreads 100 requests of one instant over 10 equal pods by 10 each, and is at zero when they end", () => {
    const { core, picked } = pool("plugins: [{type: active-request-scorer}]", 10);
    const counts = new Map<string | undefined, number>();
    for (let key = 0; key < 100; key++) {
      const id = picked({ type: "requestArrived", atUs: 0, facts: facts(key, { inputTokens: 7 }) });
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    expect([...counts.values()]).toEqual(Array(10).fill(10));
    const load = new InflightColumns(core.endpoints, "inflight-load-producer");
    expect([...core.endpoints.slots()].map((slot) => load.tokens(slot))).toEqual(Array(10).fill(70));
    for (let key = 0; key < 100; key++) core.step({ type: "requestEnded", atUs: 0, key, cause: "natural" });
    for (const slot of core.endpoints.slots()) expect([load.requests(slot), load.tokens(slot)]).toEqual([0, 0]);
  });

  it("sends a prompt where it went before", () => {
    const { picked } = pool("plugins: [{type: prefix-cache-scorer}]", 8);
    const blocks = [{ blockSizeTokens: 64, prompts: [{ tokens: 128, ids: Uint32Array.of(1, 2, 3, 4) }] }];
    const ask = (key: number) =>
      picked({ type: "requestArrived", atUs: 0, facts: facts(key, { inputTokens: 128, blocks }) });
    const first = ask(0);
    for (let key = 1; key < 20; key++) expect(ask(key)).toBe(first);
  });

  it("asks for block ids that the facts lack, and picks when they come or the time is over", () => {
    const { core, notices, picked } = pool("plugins: [{type: prefix-cache-scorer}]", 2);
    const arrived: CoreEvent = { type: "requestArrived", atUs: 0, facts: facts(0, { inputTokens: 128 }) };
    expect(picked(arrived)).toBeUndefined();
    const asked = notices.findLast((notice) => notice.type === "ask");
    expect(asked).toMatchObject({ ask: { kind: "blockIds", payload: { blockSizeTokens: 64 } } });
    const value = { prompts: [{ tokens: 128, ids: Uint32Array.of(1, 2, 3, 4) }] };
    expect(picked({ type: "askAnswered", atUs: 9, ask: 0, value })).toMatch(/^default\/pod-/);
    expect(picked({ ...arrived, facts: facts(1, { inputTokens: 128 }) })).toBeUndefined();
    expect(picked({ type: "timePassed", atUs: core.nextDueAtUs()! })).toMatch(/^default\/pod-/);
    expect(notices.findLast((notice) => notice.type === "producerFailed")).toMatchObject({
      cause: "no block ids of 64 tokens came in time",
    });
  });

  it("goes on without the producers behind one that fails", () => {
    const { notices, picked } = pool("plugins: [{type: prefix-cache-scorer}]", 1);
    expect(picked({ type: "requestArrived", atUs: 0, facts: facts(0, { inputTokens: -1 }) })).toBe("default/pod-0");
    expect(notices.filter((notice) => notice.type === "producerFailed")).toMatchObject([{ plugin: "token-producer" }]);
  });
});

import { describe, expect, it } from "vitest";
import { readBlueprint } from "./blueprint.ts";
import { DEFAULT_CONFIG_TEXT } from "./default-config.ts";
import { LINTS, lintPlan } from "./plan-lint.ts";
import { labelDemands } from "./plan-lint-labels.ts";
import { pluginType } from "../plugins/list.ts";
import { absentProfile, contradictingFilters, idleProfile } from "./plan-lint-profiles.ts";
import { unmatchedBlockSize } from "./plan-lint-blocks.ts";
import { signalNobodyBrings } from "./plan-lint-data.ts";
import type { PluginEntry } from "./plugin-entry.ts";

const blueprintOf = (text: string) => readBlueprint({ text, options: {} });

/** `line lint` of each finding. */
const lint = (text: string): string[] =>
  lintPlan(text, blueprintOf(text)).map(({ place, lint: name }) => `${place.line} ${name}`);

/** A config with one profile: plugin lines, and profile lines. */
const config = (plugins: readonly string[], profile: readonly string[], rest = ""): string =>
  `plugins:\n${plugins.map((line) => `- {${line}}\n`).join("")}schedulingProfiles:\n- name: default\n  plugins:\n${profile
    .map((line) => `  - {${line}}\n`)
    .join("")}${rest}`;

const QUEUE = "type: queue-scorer";
const KV = "type: kv-cache-utilization-scorer";

describe("lints of a plan", () => {
  it.each([
    [
      "weight 0",
      config([QUEUE, KV], ["pluginRef: queue-scorer, weight: 0", "pluginRef: kv-cache-utilization-scorer"]),
      ["7 zero-weight"],
    ],
    [
      "a weight below 0",
      config([QUEUE, KV], ["pluginRef: queue-scorer, weight: -1", "pluginRef: kv-cache-utilization-scorer"]),
      ["7 negative-weight"],
    ],
    ["the weight of the only scorer", config([QUEUE], ["pluginRef: queue-scorer, weight: 3"]), ["6 idle-weight"]],
    [
      "the same weight everywhere",
      config([QUEUE, KV], ["pluginRef: queue-scorer, weight: 2", "pluginRef: kv-cache-utilization-scorer, weight: 2"]),
      ["7 idle-weight"],
    ],
    [
      "weights that differ",
      config([QUEUE, KV], ["pluginRef: queue-scorer, weight: 2", "pluginRef: kv-cache-utilization-scorer, weight: 3"]),
      [],
    ],
    [
      "weights that are left out",
      config([QUEUE, KV], ["pluginRef: queue-scorer", "pluginRef: kv-cache-utilization-scorer"]),
      [],
    ],
    [
      "a score twice",
      config([QUEUE, `name: again, ${QUEUE}`], ["pluginRef: queue-scorer, weight: 2", "pluginRef: again"]),
      ["8 duplicate-scorer"],
    ],
    [
      "two prefix scorers that differ",
      config(
        ["type: prefix-cache-scorer", "name: longest, type: prefix-cache-scorer, parameters: {matchLengthWeight: 1}"],
        ["pluginRef: prefix-cache-scorer", "pluginRef: longest"],
      ),
      [],
    ],
    ["a plugin that nothing names", config([QUEUE, KV], ["pluginRef: queue-scorer"]), ["3 unused-plugin"]],
    [
      "a parser that nothing names",
      config(
        [QUEUE, "type: openai-parser"],
        ["pluginRef: queue-scorer"],
        "requestHandler: {parsers: [{pluginRef: passthrough-parser}]}\n",
      ),
      ["3 unused-plugin"],
    ],
    [
      "a producer for nobody",
      config([QUEUE, "type: inflight-load-producer"], ["pluginRef: queue-scorer"]),
      ["3 unread-producer"],
    ],
    [
      "a producer that is read",
      config(["type: active-request-scorer", "type: inflight-load-producer"], ["pluginRef: active-request-scorer"]),
      [],
    ],
    [
      "an index of events that nobody feeds",
      config(
        [
          "type: prefix-cache-scorer, parameters: {prefixMatchInfoProducerName: p}",
          "name: p, type: precise-prefix-cache-producer",
        ],
        ["pluginRef: prefix-cache-scorer"],
      ),
      ["3 unfed-index"],
    ],
    [
      "blocks that cut through the engine's",
      config(
        [
          "type: prefix-cache-scorer",
          "type: approx-prefix-cache-producer, parameters: {autoTune: false, blockSizeTokens: 100}",
        ],
        ["pluginRef: prefix-cache-scorer"],
      ),
      ["3 unmatched-block-size"],
    ],
    [
      "blocks that the engine tells",
      config(
        ["type: prefix-cache-scorer", "type: approx-prefix-cache-producer, parameters: {blockSizeTokens: 100}"],
        ["pluginRef: prefix-cache-scorer"],
      ),
      [],
    ],
    ["the built-in default", DEFAULT_CONFIG_TEXT, []],
    ["a plan without profiles", "plugins: [{type: queue-scorer}]", []],
  ])("tell %s", (_, text, expected) => {
    expect(lint(text)).toEqual(expected);
  });

  it("tell a signal whose extractor stands under no source", () => {
    const rest = "dataLayer: {injectDefaults: false, sources: [{pluginRef: metrics-data-source}]}\n";
    const text = config(
      [QUEUE, "type: metrics-data-source", "type: core-metrics-extractor"],
      ["pluginRef: queue-scorer"],
      rest,
    );
    const findings = lintPlan(text, blueprintOf(text)).filter(({ lint: name }) => name === signalNobodyBrings.name);
    expect(findings.map(({ text: found }) => found)).toEqual([
      "queue-scorer reads WaitingQueueSize, which nobody brings: core-metrics-extractor stands under no source of dataLayer.sources",
    ]);
  });

  it.each([
    // It gives what it reads by other ways itself.
    [
      "a scorer with a producer of its own",
      config(["type: precise-prefix-cache-scorer"], ["pluginRef: precise-prefix-cache-scorer"]),
    ],
    [
      "a producer that is an extractor too",
      config(
        [
          "type: prefix-cache-scorer, parameters: {prefixMatchInfoProducerName: p}",
          "name: p, type: precise-prefix-cache-producer, parameters: {kvEventsConfig: {zmqEndpoint: 'tcp://*:5557'}}",
        ],
        ["pluginRef: prefix-cache-scorer"],
      ),
    ],
  ])("say nothing of %s", (_, text) => {
    expect(lint(text)).toEqual([]);
  });

  it("have a name and one line each, and no name twice", () => {
    for (const { name, doc } of LINTS) {
      expect(name).toMatch(/^[a-z]+(-[a-z]+)+$/);
      expect(doc).toMatch(/^[A-Z][^\n]{10,}\.$/);
    }
    expect(new Set(LINTS.map(({ name }) => name)).size).toBe(LINTS.length);
  });
});

/** A plugin of a type, as the plan has it. */
const entryOf = (type: string, params: unknown = {}, name = type): PluginEntry =>
  ({ name, path: ["plugins", 0], params, definition: { type, points: ["filter"] } }) as unknown as PluginEntry;

describe("what filters demand of labels", () => {
  it.each([
    [entryOf("queue-scorer"), []],
    [entryOf("encode-filter"), [["llm-d.ai/role", ["encode", "encode-prefill", "encode-prefill-decode"]]]],
    [entryOf("by-label", { label: "tier", validValues: ["a"], allowsNoLabel: true }), [["tier", ["a", ""]]]],
    [
      entryOf("label-selector-filter", {
        matchLabels: { tier: "a" },
        matchExpressions: [
          { key: "zone", operator: "In", values: ["x", "y"] },
          { key: "old", operator: "DoesNotExist" },
          { key: "any", operator: "Exists" },
        ],
      }),
      [
        ["tier", ["a"]],
        ["zone", ["x", "y"]],
        ["old", [""]],
      ],
    ],
  ])("is told from type and parameters (%#)", (entry, expected) => {
    expect(labelDemands(entry).map(({ label, values }) => [label, [...values]])).toEqual(expected);
  });
});

/** The built-in default's plan with other filters in its profile, or another handler. */
function planWith({
  filters = [],
  handler,
  plugins,
  names = ["default"],
}: {
  filters?: PluginEntry[];
  handler?: PluginEntry;
  plugins?: PluginEntry[];
  names?: string[];
}) {
  const plan = blueprintOf(DEFAULT_CONFIG_TEXT);
  const profiles = [{ ...plan.profiles[0], filters }];
  const written = names.map((name, i) => ({ name, path: ["schedulingProfiles", i], plugins: [] }));
  return { blueprint: { ...plan, profiles, ...(handler && { handler }), ...(plugins && { plugins }) }, written };
}

describe("lints of profiles", () => {
  it("tell filters that no endpoint can pass together", () => {
    const tier = (value: string) => entryOf("label-selector-filter", { matchLabels: { tier: value } }, `tier-${value}`);
    expect(contradictingFilters.find(planWith({ filters: [tier("a"), tier("b")] }))).toEqual([
      {
        path: ["schedulingProfiles", 0],
        text: "profile default can have no candidates: tier-a and tier-b allow no common value of label tier",
      },
    ]);
    const roles = (...types: string[]) =>
      contradictingFilters.find(planWith({ filters: types.map((type) => entryOf(type)) }));
    expect(roles("decode-filter", "prefill-filter")).toEqual([]);
    expect(roles("decode-filter", "prefill-filter", "encode-filter")).toEqual([]);
    const only = entryOf("by-label", { label: "llm-d.ai/role", validValues: ["prefill"] });
    expect(contradictingFilters.find(planWith({ filters: [entryOf("decode-filter"), only] }))).toHaveLength(1);
  });

  it("tell a profile that the handler never runs", () => {
    const names = ["decode", "p", "encode"];
    const idle = (handler: PluginEntry) => idleProfile.find(planWith({ handler, names })).map(({ path }) => path[1]);
    expect(idle(entryOf("disagg-profile-handler"))).toEqual([1]);
    expect(idle(entryOf("disagg-profile-handler", { profiles: { prefill: "p" } }))).toEqual([]);
    expect(idle(entryOf("pd-profile-handler", { prefillProfile: "p" }))).toEqual([2]);
    expect(idle(entryOf("header-profile-handler"))).toEqual([]);
  });

  it("tell a profile that the handler needs and that is not there", () => {
    const handlerOf = (type: string, params: unknown = {}): PluginEntry => {
      const definition = pluginType(type)!;
      return { ...entryOf(type), definition, params: definition.params.parse(params) };
    };
    const absent = (handler: PluginEntry, ...names: string[]) =>
      absentProfile.find(planWith({ handler, names })).map(({ text }) => text);
    const disagg = "disagg-profile-handler";
    const deciders = { prefill: "p", encode: "e" };
    expect(absent(handlerOf(disagg), "prefill")).toEqual([
      "disagg-profile-handler finds no profile decode: every request is refused",
    ]);
    expect(absent(handlerOf(disagg, { deciders }), "decode")).toEqual([
      "disagg-profile-handler finds no profile prefill: its decider is never asked",
      "disagg-profile-handler finds no profile encode: its decider is never asked",
    ]);
    expect(absent(handlerOf(disagg, { deciders }), "decode", "prefill", "encode")).toEqual([]);
    expect(absent(handlerOf(disagg), "decode")).toEqual([]);
    expect(absent(handlerOf("pd-profile-handler", { decodeProfile: "d" }), "decode", "d")).toEqual([
      "pd-profile-handler finds no profile prefill: its decider is never asked",
    ]);
    expect(absent(handlerOf("header-profile-handler"))).toEqual([]);
  });

  it("tell a block size that no vLLM has", () => {
    const precise = (size: number) =>
      entryOf("precise-prefix-cache-producer", { tokenProcessorConfig: { blockSize: size } });
    const found = [16, 48, 128].map((size) => unmatchedBlockSize.find(planWith({ plugins: [precise(size)] })).length);
    expect(found).toEqual([0, 1, 0]);
  });
});

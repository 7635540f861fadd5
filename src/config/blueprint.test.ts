import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { errors, names, plan } from "./test-support/blueprint-of.ts";
import { partsOf, withPart } from "./test-support/one-part.ts";

const profile = (...plugins: string[]) =>
  `schedulingProfiles:\n- name: default\n  plugins:\n${plugins.map((ref) => `  - pluginRef: ${ref}\n`).join("")}`;

describe("the built-in default", () => {
  for (const text of ["", "# nothing\n"]) {
    it(`counts for ${JSON.stringify(text)}`, () => {
      const { profiles, plugins, producers, handler, saturationDetector, parsers, dataLayer } = plan(text);
      expect(profiles).toHaveLength(1);
      expect(profiles[0].scorers.map(({ entry, weight }) => [entry.name, weight])).toEqual([
        ["queue-scorer", 2],
        ["kv-cache-utilization-scorer", 2],
        ["prefix-cache-scorer", 3],
      ]);
      expect(profiles[0].picker.name).toBe("max-score-picker");
      expect(handler.name).toBe("single-profile-handler");
      expect(saturationDetector.name).toBe("utilization-detector");
      expect(names(parsers)).toEqual(["openai-parser", "anthropic-parser", "vllmhttp-parser", "passthrough-parser"]);
      expect(names(producers)).toEqual(["token-producer", "approx-prefix-cache-producer"]);
      expect(dataLayer.discovery).toBeUndefined();
      expect(dataLayer.sources).toMatchObject([
        { type: "metrics-data-source", extractors: [{ type: "core-metrics-extractor" }] },
      ]);
      expect(names(plugins)).toEqual([
        "queue-scorer",
        "kv-cache-utilization-scorer",
        "prefix-cache-scorer",
        "metrics-data-source",
        "core-metrics-extractor",
        "single-profile-handler",
        "max-score-picker",
        "openai-parser",
        "anthropic-parser",
        "vllmhttp-parser",
        "passthrough-parser",
        "utilization-detector",
        "approx-prefix-cache-producer",
        "token-producer",
      ]);
    });
  }
});

describe("defaults", () => {
  it("put every filter, scorer and picker into one profile when there is none", () => {
    const { profiles } = plan("plugins: [{type: queue-scorer}, {type: utilization-detector}, {type: random-picker}]");
    expect(profiles).toMatchObject([
      {
        name: "default",
        filters: [{ name: "utilization-detector" }],
        scorers: [{ entry: { name: "queue-scorer" }, weight: 1 }],
        picker: { name: "random-picker" },
      },
    ]);
  });

  it("do not make the default detector a filter of that profile", () => {
    expect(plan("plugins: [{type: queue-scorer}]").profiles[0].filters).toEqual([]);
  });

  it("give a profile without picker the first one that is declared", () => {
    const text = `plugins: [{type: random-picker, name: mine}, {type: max-score-picker}, {type: queue-scorer}]\n${profile("queue-scorer")}`;
    expect(plan(text).profiles[0].picker.name).toBe("mine");
    expect(plan(`plugins: [{type: queue-scorer}]\n${profile("queue-scorer")}`).profiles[0].picker.name).toBe(
      "max-score-picker",
    );
  });

  it("let a profile name what defaulting makes", () => {
    const text = `plugins: [{type: queue-scorer}]\n${profile("queue-scorer", "max-score-picker", "utilization-detector")}`;
    expect(plan(text).profiles[0]).toMatchObject({
      filters: [{ name: "utilization-detector" }],
      picker: { name: "max-score-picker" },
    });
    expect(errors(`plugins: [{type: random-picker}]\n${profile("max-score-picker")}`)).toEqual([
      'c.yaml:5:16: schedulingProfiles[0].plugins[0].pluginRef: found "max-score-picker", expected a plugin that is declared',
    ]);
  });

  it("weigh a scorer 1 without a weight; 0 and negative weights stand", () => {
    const text = `plugins: [{type: queue-scorer}]
schedulingProfiles:
- name: default
  plugins: [{pluginRef: queue-scorer}, {pluginRef: queue-scorer, weight: null}, {pluginRef: queue-scorer, weight: 0}, {pluginRef: queue-scorer, weight: -1.5}]`;
    expect(plan(text).profiles[0].scorers.map(({ weight }) => weight)).toEqual([1, 1, 0, -1.5]);
  });

  it("pass over a plugin in a profile that is no filter, scorer or picker", () => {
    const text = `plugins: [{type: approx-prefix-cache-producer}]\n${profile("approx-prefix-cache-producer")}`;
    expect(plan(text).profiles[0]).toMatchObject({ filters: [], scorers: [] });
  });

  it("add the metrics source to other sources, but not twice, and not when told", () => {
    const sources = (text: string) => names(plan(text).dataLayer.sources);
    const declared =
      "plugins: [{type: metrics-data-source, name: mine}, {type: core-metrics-extractor}, {type: metrics-data-source}]";
    const layer = (source: string) =>
      `${declared}\ndataLayer: {sources: [{pluginRef: ${source}, extractors: [{pluginRef: core-metrics-extractor}]}]}`;
    expect(sources(layer("mine"))).toEqual(["mine", "metrics-data-source"]);
    expect(sources(layer("metrics-data-source"))).toEqual(["metrics-data-source"]);
    expect(sources("plugins: []\ndataLayer: {injectDefaults: no}")).toEqual([]);
  });

  it("use a declared extractor's parameters for the source that they make", () => {
    const text = "plugins: [{type: core-metrics-extractor, parameters: {defaultEngine: sglang}}]";
    expect(plan(text).dataLayer.sources[0].extractors).toMatchObject([{ params: { defaultEngine: "sglang" } }]);
  });

  it("make a parser that is named but not declared", () => {
    const parsers = (refs: string) => names(plan(`requestHandler: {parsers: [${refs}]}`).parsers);
    expect(parsers("{pluginRef: passthrough-parser}")).toEqual(["passthrough-parser"]);
    expect(parsers("{pluginRef: openai-parser}, {pluginRef: openai-parser}")).toEqual([
      "openai-parser",
      "openai-parser",
    ]);
    expect(parsers("")).toHaveLength(4);
  });

  it("refuse to take a name that another plugin has", () => {
    expect(errors("plugins: [{type: queue-scorer, name: token-producer}, {type: prefix-cache-scorer}]")).toEqual([
      expect.stringContaining('found nothing that produces TokenizedPrompt under the name "token-producer"') as string,
    ]);
    expect(errors("plugins: [{type: queue-scorer, name: max-score-picker}]")).toEqual([
      'c.yaml:1:38: plugins[0].name: found "max-score-picker", expected another name, as a default plugin of type max-score-picker needs this one',
    ]);
  });
});

describe("data", () => {
  it("order producers: required data first, wanted data too", () => {
    const { producers } = plan(`plugins:
- type: inflight-load-producer
- type: token-load-scorer
- type: prefix-cache-scorer
- type: token-producer`);
    expect(names(producers)).toEqual(["token-producer", "approx-prefix-cache-producer", "inflight-load-producer"]);
  });

  it("make default producers, and theirs", () => {
    expect(names(plan("plugins: [{type: active-request-scorer}]").producers)).toEqual([
      "token-producer",
      "inflight-load-producer",
    ]);
  });

  it("come from the producer that is named", () => {
    const { producers } = plan(`plugins:
- {type: prefix-cache-scorer, parameters: {prefixMatchInfoProducerName: mine}}
- {type: approx-prefix-cache-producer, name: mine}`);
    expect(names(producers)).toEqual(["token-producer", "mine"]);
  });

  it("of token-load-scorer need an explicit producer", () => {
    const needed = (others: string) => errors(`plugins: [{type: token-load-scorer}${others}]`);
    expect(needed("")).toEqual([
      'c.yaml:1:11: plugins[0]: found nothing that produces UncachedRequestTokens under the name "inflight-load-producer" for token-load-scorer, expected a plugin of that name',
    ]);
    expect(needed(", {type: inflight-load-producer}")).toEqual([]);
  });
});

describe("errors", () => {
  it("are told all at once, in the order of the text, with what is near", () => {
    const text = `kind: EndpointPickerConfg
featureGates: [flowControll]
plugins:
- type: queue-scorr
- type: prefix-cache-scorer
  parameters: {matchLengthWeight: 2, matchLengthScaleToken: 5}
schedulingProfiles:
- name: default
  plugins:
  - {pluginRef: queue-scorr, weight: heavy}
  - pluginRef: prefix-cache-scorre
dataLayer: {discovery: {pluginRef: prefix-cache-scorer}, source: []}
`;
    expect(errors(text)).toEqual([
      'c.yaml:1:7: kind: found "EndpointPickerConfg", expected EndpointPickerConfig',
      'c.yaml:2:16: featureGates[0]: found "flowControll", expected one of flowControl, haPopulateNonLeaderDatastore; did you mean "flowControl"?',
      'c.yaml:4:9: plugins[0].type: found "queue-scorr", expected a plugin type that exists; did you mean "queue-scorer"?',
      "c.yaml:6:35: plugins[1].parameters.matchLengthWeight: found 2, expected at most 1",
      'c.yaml:6:38: plugins[1].parameters.matchLengthScaleToken: found an unknown key, expected one of prefixMatchInfoProducerName, matchLengthWeight, matchLengthScaleTokens; did you mean "matchLengthScaleTokens"?',
      'c.yaml:10:38: schedulingProfiles[0].plugins[0].weight: found "heavy", expected a number',
      'c.yaml:11:16: schedulingProfiles[0].plugins[1].pluginRef: found "prefix-cache-scorre", expected a plugin that is declared; did you mean "prefix-cache-scorer"?',
      'c.yaml:12:58: dataLayer.source: found an unknown key, expected one of injectDefaults, sources, discovery, peerDiscovery, crossReplicaSyncerPluginRef, crossReplicaSyncInterval; did you mean "sources"?',
    ]);
  });

  const table: [string, string, string][] = [
    [
      "two handlers",
      "plugins: [{type: single-profile-handler}, {type: single-profile-handler, name: b}]",
      "one profile handler, and",
    ],
    ["two profiles", "schedulingProfiles: [{name: a}, {name: b}]", "found 2 profiles and no profile handler"],
    [
      "two pickers",
      `plugins: [{type: random-picker}, {type: max-score-picker}]`,
      'one picker in a profile, and "random-picker" is one',
    ],
    [
      "a peer discovery that is not declared",
      "dataLayer: {peerDiscovery: {pluginRef: x}}",
      'found "x", expected a plugin',
    ],
    ["a syncer that is not declared", "dataLayer: {crossReplicaSyncerPluginRef: x}", 'found "x", expected a plugin'],
    [
      "a policy that is not declared",
      "featureGates: [flowControl]\nflowControl: {usageLimitPolicyPluginRef: x}",
      'found "x", expected a plugin that is declared',
    ],
    [
      "a second band of a priority",
      "featureGates: [flowControl]\nflowControl: {priorityBands: [{priority: 1}, {priority: 1}]}",
      "flowControl.priorityBands[1].priority: found a second band of priority 1",
    ],
    [
      "a time to live below 0",
      "featureGates: [flowControl]\nflowControl: {noEndpointRequestTTL: -1s}",
      'found "-1s", expected 0 seconds or more',
    ],
    [
      "a limit below 0",
      "featureGates: [flowControl]\nflowControl: {defaultPriorityBand: {maxBytes: -1}}",
      "flowControl.defaultPriorityBand.maxBytes: found -1, expected 0 bytes or more",
    ],
    [
      "a policy of another kind",
      "featureGates: [flowControl]\nflowControl: {usageLimitPolicyPluginRef: fcfs-ordering-policy}",
      "expected a usage limit policy",
    ],
    [
      "a decider that is not declared",
      "plugins: [{type: pd-profile-handler, parameters: {deciderPluginName: d}}]",
      'plugins[0].parameters.deciderPluginName: found "d", expected a plugin that is declared',
    ],
    ["a bad quantity", "flowControl: {maxBytes: lots}", 'found "lots", expected a quantity'],
    ["a list for a map", "dataLayer: []", "dataLayer: found a list, expected a map"],
    ["a map for a list", "plugins: {type: x}", "plugins: found a map, expected a list"],
    ["an entry that is nothing", "plugins: [null]", "plugins[0]: found nothing, expected a map"],
  ];
  for (const [what, text, message] of table) {
    it(`tell of ${what}`, () => {
      expect(errors(text)).toEqual([expect.stringContaining(message) as string]);
    });
  }

  it("name the config by its file, or as config", () => {
    expect(errors("kind: x", {})[0]).toMatch(/^config:1:7: kind/);
  });

  it("are none in a config of 1,000 plugins", () => {
    const declared = Array.from({ length: 1000 }, (_, i) => `- {type: queue-scorer, name: q${i}}`);
    expect(plan(`plugins:\n${declared.join("\n")}`).profiles[0].scorers).toHaveLength(1000);
  });

  it("stay few when there are thousands", () => {
    const many = errors(`plugins:\n${"- {type: nope}\n".repeat(5000)}`);
    expect(many).toHaveLength(100);
    expect(many[99]).toMatch(/further errors are not told/);
  });
});

describe("parts that are not built", () => {
  it("are planned and named", () => {
    const text = `featureGates: [flowControl=false, flowControl]
plugins: [{type: queue-scorer}, {type: precise-prefix-cache-producer, name: d}]
flowControl: {maxRequests: 2k, defaultRequestTTL: 5s, priorityBands: [{priority: -1, maxBytes: 1Gi}]}
dataLayer: {peerDiscovery: {pluginRef: queue-scorer}, crossReplicaSyncerPluginRef: queue-scorer}`;
    const { unbuilt, flowControl } = plan(text);
    expect(flowControl).toMatchObject({
      requestsMax: 2000,
      bytesMax: 0,
      defaultRequestTtlUs: 5_000_000,
      noEndpointRequestTtlUs: undefined,
      bands: [{ priority: -1, bytesMax: 1_073_741_824, orderingPolicy: "fcfs-ordering-policy" }],
      usageLimitPolicy: "static-usage-limit-policy",
    });
    expect(unbuilt.map(({ what, where }) => [what, where])).toEqual([
      ["plugin type precise-prefix-cache-producer", "plugins[1].type"],
      ["feature gate flowControl", "featureGates[1]"],
      ["peer discovery", "dataLayer.peerDiscovery"],
      ["syncing across replicas", "dataLayer.crossReplicaSyncerPluginRef"],
    ]);
  });

  it("are parameters of a built type, too", () => {
    const text = "plugins: [{type: token-producer, parameters: {modelName: m, vllm: {}}}]";
    expect(plan(text).unbuilt).toMatchObject([
      { what: "parameter vllm of token-producer", where: "plugins[0].parameters.vllm", place: { line: 1, column: 67 } },
    ]);
  });

  it("are none behind a closed gate", () => {
    const { unbuilt, flowControl } = plan(
      "featureGates: [flowControl, flowControl=false]\nflowControl: {maxBytes: -1}",
    );
    expect([unbuilt, flowControl]).toEqual([[], undefined]);
  });
});

describe("a config with one part replaced", () => {
  const good = parse(`apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
featureGates: [haPopulateNonLeaderDatastore=false]
plugins:
- {type: queue-scorer, name: q, parameters: {x: 1}}
- {type: approx-prefix-cache-producer, name: a, parameters: {autoTune: false, blockSizeTokens: 64}}
- {type: prefix-cache-scorer, parameters: {prefixMatchInfoProducerName: a, matchLengthWeight: 0.5}}
- {type: core-metrics-extractor, parameters: {engineConfigs: [{name: x, queuedRequestsSpec: "a{b=c}"}]}}
- {type: file-discovery, parameters: {path: x, watchFile: true}}
- {type: max-score-picker, parameters: {maxNumOfEndpoints: 2}}
schedulingProfiles:
- name: default
  plugins: [{pluginRef: q, weight: 2}, {pluginRef: prefix-cache-scorer}, {pluginRef: max-score-picker}]
dataLayer: {discovery: {pluginRef: file-discovery}}
flowControl: {maxRequests: 2k, defaultRequestTTL: 5s, saturationDetector: {pluginRef: utilization-detector}}
requestHandler: {parsers: [{pluginRef: openai-parser}]}
`) as object;

  it("is good before", () => {
    expect(errors(stringify(good))).toEqual([]);
  });

  it("gives a plan or located errors, never anything else", () => {
    const value = fc.oneof(
      fc.constantFrom(null, true, -1, 0, 1.5, 1e300, "", "x", "openai-parser", "queue-scorer", [], {}, [[]], { a: 1 }),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.constantFrom(...partsOf(good)), value, (path, by) => {
        for (const line of errors(stringify(withPart(good, path, by)))) expect(line).toMatch(/^c\.yaml:\d+:\d+: /);
      }),
      { numRuns: 400 },
    );
  });
});

import { describe, expect, it } from "vitest";
import { errors, names, plan } from "./test-support/blueprint-of.ts";

describe("older forms", () => {
  it("are understood, with one warning each that names the new form", () => {
    const { saturationDetector, parsers, warnings } = plan(
      `apiVersion: inference.networking.x-k8s.io/v1alpha1
plugins: [{type: utilization-detector, name: mine}, {type: kv-cache-scorer}]
saturationDetector: {pluginRef: mine}
parser: {pluginRef: passthrough-parser}`,
      { "config-file": "c.yaml" },
    );
    expect(saturationDetector.name).toBe("mine");
    expect(names(parsers)).toEqual(["passthrough-parser"]);
    expect(warnings).toEqual([
      "c.yaml:3:21: saturationDetector: an older form of flowControl.saturationDetector",
      "c.yaml:4:9: parser: an older form of requestHandler.parsers",
      "c.yaml:1:13: apiVersion: an older form of llm-d.ai/v1alpha1",
      "c.yaml:2:60: plugins[1].type: an older name of kv-cache-utilization-scorer",
    ]);
  });

  it("and parameters that do other than they seem to are warned of", () => {
    const { warnings } = plan(`plugins:
- {type: approx-prefix-cache-producer, parameters: {blockSizeTokens: 1}}
- {type: active-request-scorer, parameters: {requestTimeout: 2m}}
- {type: token-producer, parameters: {estimate: {}}}`);
    expect(warnings).toEqual([
      "config:2:52: plugins[0].parameters: blockSizeTokens is raised to 64, the smallest that is used",
      "config:3:45: plugins[1].parameters: requestTimeout is old and has no effect",
    ]);
  });

  it("and flow control is warned of without its gate, but for the detector", () => {
    const warned = (text: string) => plan(text).warnings;
    expect(warned("flowControl: {maxRequests: 5, saturationDetector: {}}")).toEqual([
      "config:1:15: flowControl.maxRequests: has no effect without the feature gate flowControl",
    ]);
    expect(warned("flowControl: {saturationDetector: {pluginRef: utilization-detector}}")).toEqual([]);
  });

  const strict = { "config-file": "c.yaml", "strict-config": true };
  const refusedWhenStrict: [string, string, string][] = [
    [
      "retired gates",
      "featureGates: [dataLayer]",
      "1:16: featureGates[0]: FOUND a gate of GIE 1.2 to llm-d-router 0.9",
    ],
    [
      "a retired gate, closed",
      "featureGates: [prepareDataPlugins=false]",
      "1:16: featureGates[0]: FOUND a gate of GIE",
    ],
    ["the next version", "apiVersion: llm-d.ai/v1", "1:13: apiVersion: FOUND a newer version than llm-d.ai/v1alpha1"],
    [
      "parameters of newer releases",
      "plugins: [{type: program-aware-fairness, parameters: {strategy: turn-priority}}]",
      "1:65: plugins[0].parameters.strategy: FOUND what the recorded stock release does not take",
    ],
    [
      "parameters of this project's own",
      "plugins: [{type: approx-prefix-cache-producer, parameters: {scheme: v0.7}}]",
      "1:61: plugins[0].parameters.scheme: FOUND what the recorded stock release does not take",
    ],
    [
      "a time to live for a band",
      "featureGates: [flowControl]\nflowControl: {priorityBands: [{priority: 1, defaultRequestTTL: 5s}]}",
      "2:64: flowControl.priorityBands[0].defaultRequestTTL: FOUND a newer field",
    ],
    ["old names of types", "plugins: [{type: kv-cache-scorer}]", "1:18: plugins[0].type: FOUND an older name of"],
  ];
  for (const [what, text, message] of refusedWhenStrict) {
    it(`are taken with a warning, and refused when strict: ${what}`, () => {
      const { warnings } = plan(text, { "config-file": "c.yaml" });
      expect(warnings).toEqual([expect.stringContaining(message.replace("FOUND ", ""))]);
      expect(errors(text, strict)).toEqual([expect.stringContaining(message.replace("FOUND", "found"))]);
    });
  }

  it("are taken when strict where the stock release takes them", () => {
    const text = `apiVersion: inference.networking.x-k8s.io/v1alpha1
plugins: [{type: tokenizer}]
parser: {pluginRef: openai-parser}`;
    expect([errors(text, strict), plan(text, strict).warnings]).toEqual([[], expect.objectContaining({ length: 3 })]);
  });

  it("that make a detector do not make it a filter", () => {
    const { profiles, saturationDetector } = plan("saturationDetector: {queueDepthThreshold: 9}");
    expect(saturationDetector.params).toMatchObject({ queueDepthThreshold: 9 });
    expect(profiles[0].filters).toEqual([]);
  });

  it("that have no equal are refused with the reason", () => {
    const [router, handler] = errors("plugins: [{type: slo-aware-routing}, {type: slo-aware-profile-handler}]");
    expect(router).toContain('c.yaml:1:18: plugins[0].type: found "slo-aware-routing", a type of GIE 1.2, set up by');
    expect(handler).toContain(
      'plugins[1].type: found "slo-aware-profile-handler", a type of GIE 1.2 to 1.3 that chose',
    );
  });

  it("that went are taken with a warning, and refused when strict", () => {
    const text = "plugins: [{type: low-queue-filter}]";
    const { plugins, warnings } = plan(text);
    expect(plugins[0].definition.isBuilt).not.toBe(false);
    expect(warnings).toEqual([
      "config:1:18: plugins[0].type: a type of GIE 0.5; utilization-filter does the same today",
    ]);
    expect(errors(text, { "strict-config": true })).toEqual([
      "config:1:18: plugins[0].type: found a type of GIE 0.5; utilization-filter does the same today; --strict-config refuses it, as the stock EPP does",
    ]);
  });

  it("give way to the new ones", () => {
    const { saturationDetector, parsers } = plan(`plugins: [{type: utilization-detector, name: mine}]
flowControl: {saturationDetector: {pluginRef: mine}}
saturationDetector: {pluginRef: other}
requestHandler: {parsers: [{pluginRef: openai-parser}]}
parser: {pluginRef: passthrough-parser}`);
    expect(saturationDetector.name).toBe("mine");
    expect(names(parsers)).toEqual(["openai-parser"]);
  });
});

import { describe, expect, it } from "vitest";
import { readBlueprint } from "../blueprint.ts";
import { migrateConfig } from "../migrate.ts";

const config = (parameters: string): string => `kind: EndpointPickerConfig
apiVersion: llm-d.ai/v1alpha1
plugins:
- type: disagg-profile-handler
  parameters: ${parameters}
- type: always-disagg-pd-decider
- type: always-disagg-multimodal-decider
- type: decode-filter
schedulingProfiles:
- name: d
  plugins: [{pluginRef: decode-filter}]
- name: p
  plugins: [{pluginRef: decode-filter}]
`;

const handlerOf = (parameters: string, strict = false) => {
  const options = { "config-file": "c.yaml", "strict-config": strict };
  const { plugins, warnings } = readBlueprint({ text: config(parameters), options });
  return { params: plugins[0].params as Record<string, unknown>, warnings };
};

describe("flat keys of disagg-profile-handler", () => {
  it.each([
    [
      "{decodeProfile: d, prefillProfile: p, deciderPluginName: always-disagg-pd-decider}",
      {
        profiles: { decode: "d", prefill: "p", encode: "encode" },
        deciders: { prefill: "always-disagg-pd-decider", encode: "" },
      },
    ],
    [
      '{decodeprofile: d, prefillDeciderPluginName: "", deciderPluginName: always-disagg-pd-decider}',
      { profiles: { decode: "d" }, deciders: { prefill: "always-disagg-pd-decider" } },
    ],
    [
      "{decodeProfile: d, encodeDeciderPluginName: always-disagg-multimodal-decider, deciderPluginName: x, prefillDeciderPluginName: always-disagg-pd-decider}",
      { deciders: { prefill: "always-disagg-pd-decider", encode: "always-disagg-multimodal-decider" } },
    ],
  ])("%s mean the same grouped, with one warning, strictly too", (parameters, expected) => {
    expect(handlerOf(parameters).params).toMatchObject(expected);
    expect(handlerOf(parameters, true).params).toMatchObject(expected);
    const told = handlerOf(parameters).warnings.filter((line) => line.includes("profiles and deciders"));
    expect(told).toEqual([expect.stringMatching(/^c\.yaml:5:\d+: plugins\[0\]\.parameters: an older form: /)]);
  });

  it("beside a group are an error that names the key", () => {
    expect(() => handlerOf("{decodeProfile: d, profiles: {prefill: p}}")).toThrow(
      /plugins\[0\]\.parameters\.decodeProfile/,
    );
  });

  it("whose value is no text are an error at their own place", () => {
    expect(() => handlerOf("{decodeProfile: 5}")).toThrow(/plugins\[0\]\.parameters\.decodeProfile: found 5/);
  });

  it("are grouped by a migration, once", () => {
    const { text } = migrateConfig(config("{decodeProfile: d, deciderPluginName: always-disagg-pd-decider}"), "c.yaml");
    expect(text).toMatch(/profiles: *\{ ?decode: d ?\}, deciders: *\{ ?prefill: always-disagg-pd-decider ?\}/);
    expect(migrateConfig(text, "c.yaml").text).toBe(text);
  });
});

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readBlueprint } from "./blueprint.ts";
import { ConfigError } from "./config-error.ts";
import { DEFAULT_CONFIG_TEXT } from "./default-config.ts";
import { migrateConfig, planText } from "./migrate.ts";

const migrated = (text: string): string => migrateConfig(text, "config.yaml").text;

describe("migrating a config", () => {
  it.each([
    ["today's form", DEFAULT_CONFIG_TEXT],
    ["nothing", ""],
    ["comments alone", "# nothing yet\n"],
    ["odd layout", 'plugins:   [ {type:   "queue-scorer"} ]   # one\n\n\n'],
  ])("leaves %s to the byte", (_, text) => {
    expect(migrateConfig(text, "config.yaml")).toEqual({ text, changes: [] });
  });

  it.each([
    [
      "an older apiVersion and older type names, whose name stays",
      `# top
apiVersion: inference.networking.x-k8s.io/v1alpha1 # of GIE
kind: EndpointPickerConfig
plugins:
- type: kv-cache-scorer # old
# between
- name: q
  type: queue-scorer
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: kv-cache-scorer
    weight: 2.0
  - pluginRef: q
`,
      `# top
apiVersion: llm-d.ai/v1alpha1 # of GIE
kind: EndpointPickerConfig
plugins:
- type: kv-cache-utilization-scorer # old
  name: kv-cache-scorer
# between
- name: q
  type: queue-scorer
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: kv-cache-scorer
    weight: 2.0
  - pluginRef: q
`,
    ],
    [
      "sections that moved, with what is said about them",
      `# detector
saturationDetector:
  # the usual one
  pluginRef: utilization-detector # it
parser: { pluginRef: openai-parser }
# last
plugins:
  - type: queue-scorer
data:
  # none
  injectDefaults: true
`,
      `# detector
# last
plugins:
  - type: queue-scorer
dataLayer:
  # none
  injectDefaults: true
flowControl:
  saturationDetector:
    # the usual one
    pluginRef: utilization-detector # it
requestHandler:
  parsers:
    - { pluginRef: openai-parser }
`,
    ],
    [
      "retired gates",
      "featureGates:\n- dataLayer # always\n- flowControl=false\n# why\n- prepareDataPlugins\nplugins: [{type: queue-scorer}]\n",
      "featureGates:\n# always\n- flowControl=false\n# why\nplugins: [{type: queue-scorer}]\n",
    ],
    [
      "index parameters of the scorer",
      `plugins:
- type: prefix-cache-scorer
  parameters:
    # characters
    hashBlockSize: 256
    maxPrefixBlocksToMatch: 100 # many
`,
      `plugins:
- type: prefix-cache-scorer
  parameters:
    # characters
    {}
- type: approx-prefix-cache-producer
  parameters:
    maxPrefixBlocksToMatch: 100 # many
    blockSizeTokens: 64
`,
    ],
    [
      "the producer's block size",
      "plugins:\n- type: approx-prefix-cache-producer\n  parameters: { autoTune: false, blockSize: 128 }\n- type: prefix-cache-scorer\n",
      "plugins:\n- type: approx-prefix-cache-producer\n  parameters: { autoTune: false, blockSizeTokens: 128 }\n- type: prefix-cache-scorer\n",
    ],
    [
      "JSON",
      '{\n  "parser": {"pluginRef": "openai-parser"},\n  "plugins": [{"type": "queue-scorer"}]\n}\n',
      `${JSON.stringify({ plugins: [{ type: "queue-scorer" }], requestHandler: { parsers: [{ pluginRef: "openai-parser" }] } }, undefined, 2)}\n`,
    ],
    [
      "the first document alone",
      "data: { injectDefaults: true }\nplugins: [ { type: queue-scorer } ]\n---\n# another\nx:   1\n",
      "dataLayer: { injectDefaults: true }\nplugins: [ { type: queue-scorer } ]\n---\n# another\nx:   1\n",
    ],
  ])("renews %s", (_, text, expected) => {
    const result = migrated(text);
    expect(result).toBe(expected);
    expect(migrated(result)).toBe(result);
    expect(planText({ text: result, options: {} })).toBe(planText({ text, options: {} }));
  });

  it.each([
    ["parser: &p {pluginRef: openai-parser}\nrequestHandler: {parsers: [*p]}\nplugins: [{type: queue-scorer}]\n"],
    [
      "saturationDetector: &p {pluginRef: utilization-detector}\nflowControl: {saturationDetector: *p}\nplugins: [{type: queue-scorer}]\n",
    ],
  ])("writes out an alias whose anchor goes: %j", (text) => {
    const result = migrated(text);
    expect(result).not.toMatch(/[&*]p/);
    expect(migrated(result)).toBe(result);
    expect(planText({ text: result, options: {} })).toBe(planText({ text, options: {} }));
  });

  it("keeps the ends of lines", () => {
    const result = migrated("# top\r\ndata: {}\r\nplugins:\r\n- type: queue-scorer\r\n");
    expect(result).toBe("# top\r\ndataLayer: {}\r\nplugins:\r\n- type: queue-scorer\r\n");
  });

  it("writes out a merged map that it has to change, and keeps the anchor", () => {
    const text = `plugins:
- &kv
  type: kv-cache-scorer
- <<: *kv
  name: other
`;
    const result = migrated(text);
    expect(result).toContain("&kv");
    expect(migrated(result)).toBe(result);
    expect(
      readBlueprint({ text: result, options: {} })
        .plugins.slice(0, 2)
        .map(({ name }) => name),
    ).toEqual(["kv-cache-scorer", "other"]);
  });

  it("tells what it changed, each at its place", () => {
    const { changes } = migrateConfig("plugins:\n- type: kv-cache-scorer\n", "c.yaml");
    expect(changes).toEqual(["c.yaml:2:9: plugins[0].type: an older name of kv-cache-utilization-scorer"]);
  });

  it("refuses a config without a plan, with all errors", () => {
    const broken = "data: {}\nplugins:\n- type: queu-scorer\n- type: slo-aware-router\n";
    expect(() => migrateConfig(broken, "c.yaml")).toThrow(ConfigError);
    expect(() => migrateConfig(broken, "c.yaml")).toThrow(/c.yaml:3:9:[\s\S]*c.yaml:4:9:/);
    expect(() => migrateConfig("a: [", "c.yaml")).toThrow(ConfigError);
  });
});

const corpus = fileURLToPath(new URL("../../../shared/configs/", import.meta.url));
const files = existsSync(corpus) ? readdirSync(corpus).filter((name) => name.endsWith(".yaml")) : [];
if (files.length === 0) console.warn("The real configs of ../shared/configs are not there: none is migrated.");

/** Words of all comments. */
const comments = (text: string): string[] =>
  [...text.matchAll(/(?:^|\s)#+[ \t]*([^\n]*)/g)].map(([, comment]) => comment.trim()).toSorted();

const options = { "allow-experimental-plugins": true };

function hasPlan(text: string): boolean {
  try {
    readBlueprint({ text, options });
    return true;
  } catch {
    return false;
  }
}

describe("migrating real configs", () => {
  const planned = files
    .map((name) => ({ name, text: readFileSync(corpus + name, "utf8") }))
    .filter(({ text }) => hasPlan(text));

  it.runIf(files.length > 0)(
    "keeps the plan and all comments of each that has a plan, and is done after one time",
    () => {
      const renewed = planned.filter(({ name, text }) => {
        const result = migrated(text);
        expect(migrated(result), name).toBe(result);
        expect(planText({ text: result, options }), name).toBe(planText({ text, options }));
        expect(comments(result), name).toEqual(comments(text));
        return result !== text;
      });
      expect(planned.length).toBeGreaterThan(100);
      expect(renewed.length).toBeGreaterThan(50);
    },
  );
});

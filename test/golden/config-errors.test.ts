import { describe, expect, it } from "vitest";
import { readBlueprint } from "../../src/config/blueprint.ts";
import { compilePlan } from "../../src/config/compile-plan.ts";
import { ConfigError } from "../../src/config/config-error.ts";
import { parseEppFlags } from "../../src/config/epp-flags.ts";
import { Endpoints } from "../../src/core/endpoints.ts";
import { readEndpointsFile } from "../../src/plugins/data-layer/endpoints-file.ts";
import type { Case } from "./cases.ts";
import { readFamily } from "./cases.ts";

const LIMITS = { prefixIndexBytesMax: 1 << 20 };

/** The recording's own flags. */
const FLAGS = ["--config-file", "config.yaml", "--secure-serving=false", "--pool-name", "pool", "--pool-namespace"];
const MORE_FLAGS = ["default", "--emit-endpoint-scores", "--tracing=false", "--allow-experimental-plugins"];

/** Cases that end otherwise than the recorded ones, with the reason. */
const DIFFERENT: Readonly<Record<string, string>> = {
  "config-errors-1-0054": "the endpoints file is looked for by the driver",
};

/** Why a start with this case would end; undefined when it would serve. */
function refusal(testCase: Case, { strict = true } = {}): string | undefined {
  const flags = [...FLAGS, ...MORE_FLAGS, `--strict-config=${strict}`, ...(testCase.flags ?? [])];
  const parsed = parseEppFlags(flags, {});
  if (!parsed.ok) return parsed.errors.join("\n");
  const options = {
    "config-file": "config.yaml",
    "strict-config": strict,
    "allow-experimental-plugins": parsed.flags.allowExperimentalPlugins,
  };
  try {
    const { dataLayer } = readBlueprint({ text: testCase.config, options });
    if (!dataLayer.discovery) return "config.yaml:1:1: dataLayer.discovery: found nothing, and there is no Kubernetes";
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return testCase.endpointsText === undefined ? undefined : readEndpointsFile(testCase.endpointsText).errors[0];
}

describe("recorded starts, family config-errors", () => {
  const recordings = readFamily("config-errors");
  const compared = recordings.filter(({ case: testCase }) => !(testCase.id in DIFFERENT));

  it("are ours too, but for those that are listed", () => {
    const differing = compared.flatMap(({ case: testCase, answers }) => {
      const why = refusal(testCase);
      return (why === undefined) === (answers.start === "serving") ? [] : [`${testCase.id}: ${why}`];
    });
    expect(differing).toEqual([]);
    expect(recordings).toHaveLength(201);
    expect(compared).toHaveLength(200);
  });

  it("are no starts where a plugin is not built yet: the plan is refused by its name", () => {
    for (const { case: testCase, answers } of compared) {
      if (answers.start !== "serving") continue;
      const source = { text: testCase.config, options: { "allow-experimental-plugins": true } };
      const { plugins, unbuilt } = readBlueprint(source);
      const compile = () => compilePlan(source, { endpoints: new Endpoints(), seed: 1, limits: LIMITS });
      if (unbuilt.length === 0) expect(compile).not.toThrow();
      else expect(compile).toThrow(ConfigError);
      for (const { definition, path } of plugins) {
        if (definition.isBuilt === false && path) expect(compile).toThrow(`found plugin type ${definition.type}`);
      }
    }
  });

  it("are taken more widely when not strict, where an older or newer form has a meaning today", () => {
    const taken = recordings.filter(
      ({ case: testCase }) => refusal(testCase) !== undefined && refusal(testCase, { strict: false }) === undefined,
    );
    expect(taken.map(({ case: { id, note } }) => `${id.slice(-4)} ${note}`)).toEqual([
      "0002 unknown apiVersion",
      "0008 plugin config instead of parameters",
      "0036 gate dataLayer",
      "0037 gate prepareDataPlugins",
      "0038 old data key",
      "0039 old saturationDetector inline",
      "0056 prefix scorer old parameters",
      "0057 prefix scorer blockSize",
      "0076 kv scorer old name",
      "0091 endpoint-attribute with slash",
      "0114 pd handler old threshold",
      "0115 pd handler no decider",
      "0137 extractor old name",
      "0179 unknown flag",
      "0180 deprecated metric flag",
      "0181 removed model-server flag",
      "0184 camelCase flag",
    ]);
  });

  it("that are refused say where and why", () => {
    for (const { case: testCase } of recordings) {
      for (const line of refusal(testCase)?.split("\n") ?? []) {
        expect(line).toMatch(/^(Cannot (use|find) .+: |(config\.yaml|Cannot read endpoints file):\d+:\d+: )/);
      }
    }
  });
});

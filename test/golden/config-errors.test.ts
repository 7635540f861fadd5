import { describe, expect, it } from "vitest";
import { readBlueprint } from "../../src/config/blueprint.ts";
import { ConfigError } from "../../src/config/config-error.ts";
import { parseEppFlags } from "../../src/config/epp-flags.ts";
import { readEndpointsFile } from "../../src/plugins/data-layer/endpoints-file.ts";
import { UNBUILT_TYPES } from "../../src/plugins/known-types.ts";
import type { Case } from "./cases.ts";
import { readFamily } from "./cases.ts";

/** The recording's own flags. */
const FLAGS = ["--config-file", "config.yaml", "--secure-serving=false", "--pool-name", "pool", "--pool-namespace"];
const MORE_FLAGS = ["default", "--emit-endpoint-scores", "--tracing=false", "--allow-experimental-plugins"];

/** Cases that end otherwise than the recorded ones, with the reason. */
const DIFFERENT: Readonly<Record<string, string>> = {
  "config-errors-1-0043": "starts there; vllmgrpc-parser is not built",
  "config-errors-1-0054": "the endpoints file is looked for by the driver",
};

const namesUnbuilt = ({ config }: Case): boolean =>
  Object.keys(UNBUILT_TYPES).some((type) => new RegExp(`type: ${type}\\s`).test(config));

/** Why a start with this case would end; undefined when it would serve. */
function refusal(testCase: Case): string | undefined {
  const parsed = parseEppFlags([...FLAGS, ...MORE_FLAGS, ...(testCase.flags ?? [])], {});
  if (!parsed.ok) return parsed.errors.join("\n");
  const options = {
    "config-file": "config.yaml",
    "strict-config": true,
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
  const built = recordings.filter(({ case: testCase }) => !(testCase.id in DIFFERENT) && !namesUnbuilt(testCase));

  it("are ours too, but for those that are listed or name what is not built", () => {
    const differing = built.flatMap(({ case: testCase, answers }) => {
      const why = refusal(testCase);
      return (why === undefined) === (answers.start === "serving") ? [] : [`${testCase.id}: ${why}`];
    });
    expect(differing).toEqual([]);
    expect(recordings).toHaveLength(201);
    expect(built).toHaveLength(142);
  });

  it("that name what is not built are refused by that name", () => {
    for (const { case: testCase } of recordings.filter(({ case: one }) => namesUnbuilt(one))) {
      expect([testCase.id, refusal(testCase)]).toEqual([
        testCase.id,
        expect.stringMatching(/which this release does not build yet/) as string,
      ]);
    }
  });

  it("that are refused say where and why", () => {
    for (const { case: testCase } of recordings) {
      for (const line of refusal(testCase)?.split("\n") ?? []) {
        expect(line).toMatch(/^(Cannot (use|find) .+: |(config\.yaml|Cannot read endpoints file):\d+:\d+: )/);
      }
    }
  });
});

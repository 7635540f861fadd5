import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readBlueprint } from "../../src/config/blueprint.ts";
import { compilePlan } from "../../src/config/compile-plan.ts";
import { ConfigError } from "../../src/config/config-error.ts";
import { parseEppFlags } from "../../src/config/epp-flags.ts";
import { Endpoints } from "../../src/core/endpoints.ts";
import { createFileDiscovery } from "../../src/datalayer/file-discovery.ts";
import type { FileDiscoveryParams } from "../../src/plugins/data-layer/file-discovery.ts";
import type { Case } from "./cases.ts";
import { endpointsText, readFamily } from "./cases.ts";

const LIMITS = { prefixIndexBytesMax: 1 << 20 };

/** The recording's own flags. */
const FLAGS = ["--config-file", "config.yaml", "--secure-serving=false", "--pool-name", "pool", "--pool-namespace"];
const MORE_FLAGS = ["default", "--emit-endpoint-scores", "--tracing=false", "--allow-experimental-plugins"];

/** Why a start with this case would end; undefined when it would serve. Endpoints are looked for as `epp` does it. */
async function refusal(testCase: Case, { strict = true } = {}): Promise<string | undefined> {
  const flags = [...FLAGS, ...MORE_FLAGS, `--strict-config=${strict}`, ...(testCase.flags ?? [])];
  const parsed = parseEppFlags(flags, {});
  if (!parsed.ok) return parsed.errors.join("\n");
  const options = {
    "config-file": "config.yaml",
    "strict-config": strict,
    "allow-experimental-plugins": parsed.flags.allowExperimentalPlugins,
  };
  const endpoints = join(folder, `${testCase.id}.yaml`);
  await writeFile(endpoints, endpointsText(testCase));
  try {
    const { dataLayer } = readBlueprint({ text: testCase.config.replaceAll("{endpoints}", endpoints), options });
    if (!dataLayer.discovery) return "config.yaml:1:1: dataLayer.discovery: found nothing, and there is no Kubernetes";
    const discovery = createFileDiscovery(
      { ...(dataLayer.discovery.params as FileDiscoveryParams), watchFile: false },
      NOBODY,
    );
    await discovery.start();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const NOBODY = { upsert: () => undefined, remove: () => undefined, problem: () => undefined };

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "config-errors-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("recorded starts, family config-errors", () => {
  const recordings = readFamily("config-errors");

  it("are ours too", async () => {
    const differing: string[] = [];
    for (const { case: testCase, answers } of recordings) {
      const why = await refusal(testCase);
      if ((why === undefined) !== (answers.start === "serving")) differing.push(`${testCase.id}: ${why}`);
    }
    expect(differing).toEqual([]);
    expect(recordings).toHaveLength(201);
  });

  it("are no starts where a plugin is not built yet: the plan is refused by its name", () => {
    for (const { case: testCase, answers } of recordings) {
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

  it("are taken more widely when not strict, where an older or newer form has a meaning today", async () => {
    const taken: Case[] = [];
    for (const { case: testCase } of recordings) {
      const strictly = await refusal(testCase);
      if (strictly !== undefined && (await refusal(testCase, { strict: false })) === undefined) taken.push(testCase);
    }
    expect(taken.map(({ id, note }) => `${id.slice(-4)} ${note}`)).toEqual([
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

  it("that are refused say where and why", async () => {
    for (const { case: testCase } of recordings) {
      for (const line of (await refusal(testCase))?.split("\n") ?? []) {
        expect(line).toMatch(/^(Cannot (use|find|read) .+: |(config\.yaml|Cannot read endpoints file):\d+:\d+: )/);
      }
    }
  });
});

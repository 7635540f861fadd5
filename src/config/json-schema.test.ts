import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import Fastify from "fastify";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { PLUGINS } from "../plugins/list.ts";
import { readBlueprint } from "./blueprint.ts";
import { DEFAULT_CONFIG_TEXT } from "./default-config.ts";
import { configJsonSchema } from "./json-schema.ts";
import { migrateConfig } from "./migrate.ts";

const schema = configJsonSchema();
const app = Fastify({
  ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allowUnionTypes: true } },
});
app.post("/", { schema: { body: schema } }, () => "valid");
beforeAll(() => app.ready());

/** Why the schema refuses a config; "" when it takes it. */
async function refusal(config: unknown): Promise<string> {
  const { statusCode, body } = await app.inject({ method: "POST", url: "/", payload: config as object });
  return statusCode === 200 ? "" : body;
}

describe("the JSON Schema of the config", () => {
  it("has the top-level keys that the compiler takes", () => {
    const known = Object.keys(schema["properties"] as object).join(", ");
    expect(() => readBlueprint({ text: "x: 1", options: {} })).toThrow(`expected one of ${known}`);
  });

  it("takes the built-in default", async () => {
    expect(await refusal(parse(DEFAULT_CONFIG_TEXT))).toBe("");
  });

  it.each([
    ["an unknown key", { plugin: [] }],
    ["a type that is none", { plugins: [{ type: "queu-scorer" }] }],
    ["an unknown parameter", { plugins: [{ type: "random-picker", parameters: { maxEndpoints: 1 } }] }],
    ["a parameter of the wrong type", { plugins: [{ type: "random-picker", parameters: { maxNumOfEndpoints: "1" } }] }],
    [
      "a parameter out of range",
      { plugins: [{ type: "utilization-detector", parameters: { kvCacheUtilThreshold: 2 } }] },
    ],
    ["a profile without a name", { schedulingProfiles: [{ plugins: [] }] }],
    ["a weight that is a text", { schedulingProfiles: [{ name: "p", plugins: [{ pluginRef: "q", weight: "1" }] }] }],
    ["an unknown gate", { featureGates: ["flowcontrol"] }],
    ["a reference without a name", { dataLayer: { sources: [{ pluginRef: 1 }] } }],
  ])("refuses %s", async (_, config) => {
    expect(await refusal(config)).toContain("FST_ERR_VALIDATION");
  });

  it("knows the parameters of every type by what each says of them", () => {
    const text = JSON.stringify(schema);
    for (const { type } of PLUGINS) expect(text).toContain(JSON.stringify(type));
  });

  const corpus = fileURLToPath(new URL("../../../shared/configs/", import.meta.url));
  const files = existsSync(corpus) ? readdirSync(corpus).filter((name) => name.endsWith(".yaml")) : [];
  if (files.length === 0) console.warn("The real configs of ../shared/configs are not there: none is validated.");

  it.runIf(files.length > 0)("takes every real config in its newest form", async () => {
    let taken = 0;
    for (const name of files) {
      const text = newest(readFileSync(corpus + name, "utf8"));
      if (text === undefined) continue;
      expect(await refusal(parse(text, { merge: true })), name).toBe("");
      taken++;
    }
    expect(taken).toBeGreaterThan(100);
  });
});

function newest(text: string): string | undefined {
  try {
    return migrateConfig(text, "config").text;
  } catch {
    return undefined;
  }
}

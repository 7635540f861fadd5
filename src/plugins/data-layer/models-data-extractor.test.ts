import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createModelsDataExtractor, modelsKey } from "./models-data-extractor.ts";
import { readModelsPage } from "./models-page.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const read = (text: string) => readModelsPage(bytes(text));

/** As vLLM answers with a LoRA adapter loaded. */
const VLLM = JSON.stringify({
  object: "list",
  data: [
    {
      id: "meta-llama/Llama-3.1-8B-Instruct",
      object: "model",
      created: 1_763_000_000,
      owned_by: "vllm",
      root: "meta-llama/Llama-3.1-8B-Instruct",
      parent: null,
      max_model_len: 131_072,
      permission: [{ id: "modelperm-1", object: "model_permission", allow_sampling: true }],
    },
    {
      id: "sql-lora",
      object: "model",
      created: 1_763_000_000,
      owned_by: "vllm",
      root: "/adapters/sql",
      parent: "meta-llama/Llama-3.1-8B-Instruct",
    },
  ],
});

describe("a page of models", () => {
  it("is read as vLLM writes it", () => {
    const common = { object: "model", created: 1_763_000_000, ownedBy: "vllm" };
    expect(read(VLLM)).toEqual([
      { id: "meta-llama/Llama-3.1-8B-Instruct", ...common },
      { id: "sql-lora", ...common, parent: "meta-llama/Llama-3.1-8B-Instruct" },
    ]);
  });

  it.each([
    ["{}", []],
    ["null", []],
    ['{"data":null}', []],
    ['{"data":[]}', []],
    ['{"data":[{}]}', [{ id: "" }]],
    ['{"data":[null,{"id":"a"}],"x":1}', [{ id: "" }, { id: "a" }]],
  ])("%s is a list, as stock", (page, models) => expect(read(page)).toEqual(models));

  it.each([
    ["nothing", "", /it is no JSON: ""$/],
    ["text", "not json", /it is no JSON: "not json"$/],
    ["a list", "[]", /the page is a list, expected an object$/],
    ["data of another kind", '{"data":{}}', /data is an object, expected a list$/],
    ["a model of another kind", '{"data":["a"]}', /data\[0\] is "a", expected an object$/],
    ["an id of another kind", '{"data":[{"id":7}]}', /data\[0\]\.id is 7, expected text$/],
    ["a broken time", '{"data":[{"created":1.5}]}', /data\[0\]\.created is 1\.5, expected a whole number$/],
    [
      "one model too many",
      JSON.stringify({ data: Array.from({ length: 1025 }, () => ({ id: "a" })) }),
      /it has 1025 models, 1024 are allowed$/,
    ],
    [
      "a long id",
      JSON.stringify({ data: [{ id: "a".repeat(513) }] }),
      /data\[0\]\.id has 513 characters, 512 are allowed$/,
    ],
    ["brackets without end", "[".repeat(100_000), /it is no JSON/],
    ["deep nesting", `{"data":${"[".repeat(50_000)}${"]".repeat(50_000)}}`, /data\[0\] is a list, expected an object$/],
  ])("with %s is refused in words", (_, page, error) => {
    expect(read(page)).toEqual(expect.stringMatching(/^Cannot read the list of models: /));
    expect(read(page)).toEqual(expect.stringMatching(error));
  });

  it("keeps within its limits: 1024 models, 512 characters", () => {
    const data = Array.from({ length: 1024 }, (_, i) => ({ id: `${i}`.padEnd(512, "x") }));
    expect(read(JSON.stringify({ data }))).toHaveLength(1024);
  });

  it("is a list or a sentence, for any bytes and any JSON", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.json().map(bytes)), (page) => {
        const models = readModelsPage(page);
        if (typeof models === "string") expect(models).toMatch(/^Cannot read the list of models: /);
        else for (const { id } of models) expect(typeof id).toBe("string");
      }),
    );
    const model = fc.record({ id: fc.jsonValue(), parent: fc.jsonValue() }, { requiredKeys: [] });
    fc.assert(fc.property(fc.array(model), (data) => void read(JSON.stringify({ data }))));
  });
});

describe("models-data-extractor", () => {
  const extractor = createModelsDataExtractor();

  it("brings the list as a value, not as signals of the model server", () => {
    expect(extractor.extract(bytes('{"data":[{"id":"m"}]}'), { name: "a", labels: {} })).toEqual({
      row: { values: { "/v1/models/models-data-extractor": [{ id: "m" }] }, aside: true },
      errors: [],
    });
    expect(modelsKey.id).toBe("/v1/models/models-data-extractor");
  });

  it("refuses a page that is none, so that the last list stays", () => {
    expect(extractor.extract(bytes("x"), { name: "a", labels: {} })).toEqual({
      failed: 'Cannot read the list of models: it is no JSON: "x"',
    });
  });
});

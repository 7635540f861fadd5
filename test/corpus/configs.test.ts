import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { partsOf, withPart } from "../../src/config/test-support/one-part.ts";
import { compatibilityPage } from "./compatibility-page.ts";
import { ourVerdict, readCorpus } from "./corpus.ts";

const PAGE = fileURLToPath(new URL("../../docs/config-compatibility.md", import.meta.url));

/** Refused by the stock release for what is outside of the text. */
const OUTSIDE: Readonly<Record<string, string>> = {
  "llm-d-router-plugins-readme.yaml": "names a file of certificates that is not there",
};

/** Refused with a reason: placeholders, types of upstream's own tests, types without an equal, mistakes in guides. */
const REFUSED = [
  "gateway-api-inference-extension-v1.0.2-epp-configuration-config-text-2.yaml",
  "gateway-api-inference-extension-v1.0.2-testdata-configloader-1-test.yaml",
  "gateway-api-inference-extension-v1.1.0-testdata-configloader-1-test.yaml",
  "gateway-api-inference-extension-v1.2.1-epp-configuration-config-text.yaml",
  "gateway-api-inference-extension-v1.3.1-epp-configuration-config-text-3.yaml",
  "gateway-api-inference-extension-v1.3.1-epp-configuration-config-text.yaml",
  "gateway-api-inference-extension-v1.4.0-epp-configuration-config-text.yaml",
  "gateway-api-inference-extension-v1.4.0-testdata-configloader-1-test.yaml",
  "gateway-api-inference-extension-v1.5.0-requestattributereporter-readme.yaml",
  "kserve-odhv3.4-precise-prefix-kv-cache-routing-llm-inference-service-qwen2-7b-gpu-kv-cache-routing.yaml",
  "llm-d-inference-scheduler-testdata-configloader-1-test.yaml",
  "llm-d-inference-scheduler-v0.5.1-config-sim-pd-epp-config.yaml",
  "llm-d-inference-scheduler-v0.6.1-config-pd-epp-config.yaml",
  "llm-d-inference-scheduler-v0.8.0-docs-architecture-4.yaml",
  "llm-d-inference-scheduler-v0.8.0-docs-architecture.yaml",
  "llm-d-router-charts-readme.yaml",
  "llm-d-router-testdata-datalayer-config.yaml",
  "llm-d-router-testdata-request-attribute-reporter-config.yaml",
  "llm-d-router-v0.9.0-testdata-configloader-1-test.yaml",
];

const corpus = readCorpus();

/** One of them is no YAML. */
function parseOrNot(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return null;
  }
}

describe.skipIf(!corpus)("configs that public repositories ship", () => {
  const configs = corpus ?? [];

  it("are 159", () => {
    expect(configs).toHaveLength(159);
  });

  it("give a plan, but for those that are listed, whose refusal says where and why", () => {
    const refused = configs.flatMap((config) => {
      const ours = ourVerdict(config, { strict: false });
      if (!("errors" in ours)) return [];
      for (const error of ours.errors) expect(error).toMatch(/^\d+:\d+: .+, expected |^\d+:\d+: .+: found /);
      return [config.name];
    });
    expect(refused).toEqual(REFUSED);
  });

  it("start where the stock EPP starts and are refused where it refuses, when strict", () => {
    const differing = configs.filter((config) => {
      const starts = "warnings" in ourVerdict(config, { strict: true });
      return starts !== config.stock.starts && !(config.name in OUTSIDE);
    });
    expect(differing.map(({ name }) => name)).toEqual([]);
  });

  it("that the stock EPP takes are taken alike, strict or not", () => {
    for (const config of configs) {
      const strict = ourVerdict(config, { strict: true });
      if ("warnings" in strict)
        expect([config.name, ourVerdict(config, { strict: false })]).toEqual([config.name, strict]);
    }
  });

  it("give a plan or located errors with any one part replaced, never anything else", () => {
    const cases = configs.flatMap(({ text }) => {
      const config = parseOrNot(text);
      return partsOf(config).map((path) => ({ config, path }));
    });
    const value = fc.oneof(
      fc.constantFrom(null, true, -1, 0, 1.5, "", "{{ .Values.x }}", "5s", [], {}, [[]], [null], { a: 1 }),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.constantFrom(...cases), value, fc.boolean(), ({ config, path }, by, strict) => {
        const text = stringify(withPart(config, path, by));
        const ours = ourVerdict({ name: "", text, stock: { starts: false } }, { strict });
        for (const error of "errors" in ours ? ours.errors : []) expect(error).toMatch(/^\d+:\d+: /);
      }),
      { numRuns: 3000 },
    );
  });

  it("have a page that is current", async () => {
    await expect(compatibilityPage(configs)).toMatchFileSnapshot(PAGE);
  });
});

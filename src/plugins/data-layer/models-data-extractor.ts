import type { DataKey } from "../../core/data-key.ts";
import { dataKey } from "../../core/data-key.ts";
import { defineDataLayerType } from "../define.ts";
import { noParams } from "../params.ts";
import type { ServedModel } from "./models-page.ts";
import { readModelsPage } from "./models-page.ts";
import type { PageExtractor } from "./page-extractor.ts";

const MODELS_DATA_EXTRACTOR = "models-data-extractor";

/** The models that an endpoint says it serves: an attribute of endpoints, read by `Endpoints.attribute`. */
export const modelsKey: DataKey<readonly ServedModel[]> = dataKey("/v1/models", MODELS_DATA_EXTRACTOR);

/**
 * Reads the list of models that an endpoint serves, as the attribute /v1/models. A page that is no such list, or has more
 * than 1024 models or a text of more than 512 characters, is an error, and the last list stays.
 * Source: extractor/models/extractor.go, source/models/datasource.go.
 */
export const modelsDataExtractor = defineDataLayerType("extractor", {
  type: MODELS_DATA_EXTRACTOR,
  payload: "models",
  params: noParams,
  ignoresParams: true,
  // The key has the type's name whatever the plugin's own is, as stock.
  data: () => ({ produces: [modelsKey] }),
  example: `
plugins:
- type: models-data-source
  parameters: {interval: 5s}
- type: models-data-extractor
dataLayer:
  sources:
  - pluginRef: models-data-source
    extractors:
    - pluginRef: models-data-extractor
`,
});

export function createModelsDataExtractor(): PageExtractor {
  return {
    type: MODELS_DATA_EXTRACTOR,
    extract(page) {
      const models = readModelsPage(page);
      if (typeof models === "string") return { failed: models };
      return { row: { values: { [modelsKey.id]: models }, aside: true }, errors: [] };
    },
  };
}

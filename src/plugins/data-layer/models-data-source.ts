import { defineDataLayerType } from "../define.ts";
import { httpSourceParams, httpSourceParamsWithoutPort } from "./http-source-params.ts";

const DEFAULTS = { scheme: "http", path: "/v1/models", insecureSkipVerify: true } as const;

/**
 * Gets the lists of models that the endpoints serve, as OpenAI's API tells them. A list that does not come leaves what is
 * known as it is. Source: source/models/datasource.go.
 */
export const modelsDataSource = defineDataLayerType("dataSource", {
  type: "models-data-source",
  payload: "models",
  params: httpSourceParams(DEFAULTS),
  stockParams: httpSourceParamsWithoutPort(DEFAULTS),
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

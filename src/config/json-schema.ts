import { z } from "zod";
import type { PluginDefinition } from "../core/plugin.ts";
import { pluginType, pluginTypeNames } from "../plugins/list.ts";
import { API_VERSIONS } from "./config-document.ts";
import { ProblemList } from "./config-error.ts";
import {
  dataLayerSpec,
  flowControlSpec,
  pluginSpec,
  profilePluginSpec,
  profileSpec,
  requestHandlerSpec,
} from "./config-schema.ts";
import { readFeatureGates } from "./feature-gates.ts";

/** A JSON Schema (draft 7), as plain data. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Bounds that say no more than "a whole number". */
const INT_BOUND = Number.MAX_SAFE_INTEGER;

/** What a zod schema takes. Checks across fields are not part of it. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...made } = z.toJSONSchema(schema, {
    target: "draft-7",
    io: "input",
    unrepresentable: "any",
    override: ({ jsonSchema }) => {
      if (jsonSchema.minimum === -INT_BOUND) delete jsonSchema.minimum;
      if (jsonSchema.maximum === INT_BOUND) delete jsonSchema.maximum;
    },
  });
  return made;
}

/**
 * The schema of an EndpointPickerConfig in its newest form, for editors: from the zod schemas that the compiler reads
 * with. Older forms are not in it; `warmpath migrate` rewrites them.
 */
export function configJsonSchema(): JsonSchema {
  const gates = Object.keys(readFeatureGates(undefined, new ProblemList()));
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "EndpointPickerConfig",
    description: "What the Endpoint Picker does with a request: plugins, profiles, data layer, flow control, parsers.",
    type: "object",
    additionalProperties: false,
    properties: {
      apiVersion: { enum: API_VERSIONS, description: `${API_VERSIONS[0]} today.` },
      kind: { const: "EndpointPickerConfig", description: "Always the same." },
      featureGates: {
        type: ["array", "null"],
        description: `Features to open or close: name, or name=false. Known: ${gates.join(", ")}.`,
        items: { type: "string", pattern: `^(${gates.join("|")})(=.*)?$` },
      },
      plugins: { type: ["array", "null"], description: "Plugins, each once by its name.", items: pluginSchema() },
      schedulingProfiles: {
        type: ["array", "null"],
        description: "Profiles: who filters, scores and picks. Without any, one with every plugin declared.",
        items: profileSchema(),
      },
      dataLayer: orNothing(jsonSchemaOf(dataLayerSpec), "Where endpoints and their signals come from."),
      flowControl: orNothing(
        jsonSchemaOf(flowControlSpec),
        "Queues in front of the pool; all but saturationDetector needs the feature gate flowControl.",
      ),
      requestHandler: orNothing(jsonSchemaOf(requestHandlerSpec), "How requests are read."),
    },
  };
}

const orNothing = (schema: JsonSchema, description: string): JsonSchema => ({
  ...schema,
  type: ["object", "null"],
  description,
});

const propertiesOf = (schema: JsonSchema) => schema["properties"] as Readonly<Record<string, JsonSchema>>;

/** An entry of `plugins`: what `parameters` may be follows from the type. */
function pluginSchema(): JsonSchema {
  const base = jsonSchemaOf(pluginSpec);
  const names = [...pluginTypeNames()].toSorted((a, b) => (a < b ? -1 : 1));
  return {
    ...base,
    required: ["type"],
    properties: { ...propertiesOf(base), type: { ...propertiesOf(base)["type"], enum: names } },
    allOf: names.flatMap((name) => {
      const definition = pluginType(name)!;
      if (definition.ignoresParams) return [];
      const parameters = { anyOf: [parametersSchema(definition), { type: "null" }] };
      // oxlint-disable-next-line unicorn/no-thenable -- a key of JSON Schema
      return [{ if: { properties: { type: { const: name } } }, then: { properties: { parameters } } }];
    }),
  };
}

/** What `parameters` of a type may be. */
export const parametersSchema = ({ params }: PluginDefinition): JsonSchema => jsonSchemaOf(params);

function profileSchema(): JsonSchema {
  const base = jsonSchemaOf(profileSpec);
  const { plugins, ...others } = propertiesOf(base);
  const items = { ...jsonSchemaOf(profilePluginSpec), required: ["pluginRef"] };
  return { ...base, required: ["name"], properties: { ...others, plugins: { ...plugins, items } } };
}

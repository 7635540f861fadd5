import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import type { PluginDefinition } from "../core/plugin.ts";
import { PLUGINS } from "../plugins/list.ts";
import { readBlueprint } from "./blueprint.ts";
import { ConfigError } from "./config-error.ts";
import type { JsonSchema } from "./json-schema.ts";
import { parametersSchema } from "./json-schema.ts";
import { pluginExample } from "./plugin-example.ts";

type Path = readonly (string | number)[];
/** A parameter, values that it refuses and values at its limits; `undefined` = the parameter is left out. */
interface Limits {
  readonly path: Path;
  readonly refused: readonly unknown[];
  readonly taken: readonly unknown[];
}

const NO_NUMBERS = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

const valueAt = (value: unknown, key: string | number): unknown =>
  (value as Readonly<Record<string | number, unknown>> | undefined)?.[key];

/** The limits of a schema and of all that is in it. Into lists it goes where the example has an item. */
function limitsOf(schema: JsonSchema, example: unknown, path: Path = []): Limits[] {
  const types = [schema["type"]].flat();
  if (types.includes("object")) {
    const required = (schema["required"] ?? []) as readonly string[];
    return Object.entries((schema["properties"] ?? {}) as Readonly<Record<string, JsonSchema>>).flatMap(
      ([key, part]) => {
        const here = [...path, key];
        const missing = required.includes(key) ? [{ path: here, refused: [undefined], taken: [] }] : [];
        return [...missing, ...limitsOf(part, valueAt(example, key), here)];
      },
    );
  }
  if (types.includes("array")) {
    const empty = Number(schema["minItems"] ?? 0) > 0 ? [{ path, refused: [[]], taken: [] }] : [];
    const first = valueAt(example, 0);
    const items = first === undefined ? [] : limitsOf((schema["items"] ?? {}) as JsonSchema, first, [...path, 0]);
    return [...empty, ...items];
  }
  const [refused, taken] = limitsOfValue(schema, types);
  return refused.length > 0 ? [{ path, refused, taken }] : [];
}

/** What a single value refuses and takes at its limits. */
function limitsOfValue(schema: JsonSchema, types: readonly unknown[]): readonly [unknown[], unknown[]] {
  if (schema["enum"] ?? schema["const"]) return [["no such word", 1], [schema["enum"] ?? [schema["const"]]].flat()];
  if (types.includes("string")) return Number(schema["minLength"] ?? 0) > 0 ? [[""], ["a"]] : [[], []];
  if (!types.includes("number") && !types.includes("integer")) return [[], []];
  const refused: unknown[] = [...NO_NUMBERS];
  const taken: unknown[] = [];
  if (types.includes("integer")) refused.push(1.5, 2 ** 53, -(2 ** 53));
  const bound = (name: string) => schema[name] as number | undefined;
  const [min, max] = [bound("minimum"), bound("maximum")];
  const [above, below] = [bound("exclusiveMinimum"), bound("exclusiveMaximum")];
  if (min !== undefined) taken.push(min);
  if (max !== undefined) taken.push(max);
  if (min !== undefined) refused.push(min - 1);
  if (max !== undefined) refused.push(max + 1);
  if (above !== undefined) refused.push(above, above - 1);
  if (below !== undefined) refused.push(below, below + 1);
  return [refused, taken];
}

/** The value with another one at a path; lists and maps on the way are copied, or made. */
function withValue(whole: unknown, [key, ...rest]: Path, value: unknown): unknown {
  const at = rest.length === 0 ? value : withValue(valueAt(whole, key), rest, value);
  if (typeof key === "number") return (whole as readonly unknown[]).map((item, i) => (i === key ? at : item));
  const { [key]: _, ...others } = (whole ?? {}) as Record<string, unknown>;
  return at === undefined ? others : { ...others, [key]: at };
}

const pathText = (path: Path): string =>
  path.map((key, i) => (typeof key === "number" ? `[${key}]` : i === 0 ? key : `.${key}`)).join("");

interface Example {
  readonly plugins: readonly { readonly type: string; readonly parameters?: object }[];
}

/** The example of a type, where in it the type stands, and what its parameters are there. */
function exampleOf(definition: PluginDefinition) {
  const config = parse(pluginExample(definition)) as Example;
  const index = config.plugins.findIndex(({ type }) => type === definition.type);
  return { config, index, parameters: config.plugins[index].parameters ?? {} };
}

/** The errors of a config with these parameters; none when it is taken. */
function errorsWith({ config, index }: ReturnType<typeof exampleOf>, parameters: unknown): string {
  const plugins = config.plugins.map((plugin, i) => (i === index ? { ...plugin, parameters } : plugin));
  try {
    readBlueprint({ text: stringify({ ...config, plugins }), options: { "allow-experimental-plugins": true } });
    return "";
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
}

const LIMITED = PLUGINS.flatMap((definition) => {
  if (definition.ignoresParams) return [];
  const example = exampleOf(definition);
  const limits = limitsOf(parametersSchema(definition), example.parameters);
  return limits.length > 0 ? [[definition.type, definition, example, limits] as const] : [];
});

describe.each(LIMITED)("parameters of %s", (_type, definition, example, limits) => {
  const issuePaths = (parameters: unknown) =>
    definition.params.safeParse(parameters).error?.issues.map(({ path }) => pathText(path as Path)) ?? [];

  it.each(limits.map((one) => [pathText(one.path), one] as const))(
    "out of the range of %s are refused with their place, at its limits they are taken",
    (text, { path, refused, taken }) => {
      for (const value of refused) {
        const parameters = withValue(example.parameters, path, value);
        expect([text, value, issuePaths(parameters)]).toEqual([text, value, expect.arrayContaining([text])]);
        const errors = errorsWith(example, parameters);
        expect(errors).toMatch(/^config:\d+:\d+: plugins\[\d+\]\.parameters\.\S+: found .+, expected .+$/m);
        expect(errors).toContain(`plugins[${example.index}].parameters.${text}`);
      }
      for (const value of taken) {
        const parameters = withValue(example.parameters, path, value);
        expect([text, value, issuePaths(parameters).includes(text)]).toEqual([text, value, false]);
      }
    },
  );
});

it("limits are found in most types, also within maps and lists", () => {
  const paths = LIMITED.flatMap(([type, , , limits]) => limits.map(({ path }) => `${type}: ${pathText(path)}`));
  expect(paths).toContain("utilization-filter: conditions[0].maxValue");
  expect(paths).toContain("session-affinity-filter: sessionIdConfig.evictionTtlSeconds");
  expect(LIMITED.length).toBeGreaterThan(25);
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EndCause } from "../../core/events.ts";
import type { Usage } from "../../core/parser.ts";
import { make, poolOf, requestOf } from "../test-support/fixture.ts";
import { requestAttributeReporter } from "./request-attribute-reporter.ts";

const USAGE: Usage = { promptTokens: 11, completionTokens: 7, cachedTokens: -1 };

const paramsOf = (expression: string, condition?: string, namespace?: string) => ({
  attributes: [{ key: { name: "cost", ...(namespace !== undefined && { namespace }) }, expression, condition }],
});

/** What the proxy is told at the end of a response. */
function told(params: object, usage: Usage | undefined = USAGE, cause: EndCause = "natural") {
  const endpoints = poolOf([{}]);
  const plugin = make(requestAttributeReporter, params, endpoints);
  const request = requestOf(endpoints);
  plugin.requestEnded(request, cause, usage);
  return request.responseMetadata;
}

const cost = (value: number) => new Map([["envoy.lb", new Map([["cost", value]])]]);

describe("request-attribute-reporter", () => {
  const values: readonly (readonly [string, string, number])[] = [
    ["a field", "usage.prompt_tokens", 11],
    ["a sum, with the line's end that YAML leaves", "usage.prompt_tokens + usage.completion_tokens\n", 18],
    ["the total", "usage.total_tokens", 18],
    ["a product, cut", "usage.completion_tokens * 1.5", 10],
    ["a negative one, cut towards 0", "usage.completion_tokens * -1.5", -10],
    ["a whole number", "int(usage.prompt_tokens) + 1", 12],
  ];
  it.each(values)("tells %s", (_, expression, value) => expect(told(paramsOf(expression))).toEqual(cost(value)));

  it("tells it in the namespace of the config", () => {
    const expected = (namespace: string) => new Map([[namespace, new Map([["cost", 11]])]]);
    expect(told(paramsOf("usage.prompt_tokens", "", "own"))).toEqual(expected("own"));
    expect(told(paramsOf("usage.prompt_tokens", "", ""))).toEqual(expected("envoy.lb"));
  });

  it("tells cached tokens where the server did", () => {
    const params = paramsOf("usage.prompt_tokens_details.cached_tokens", "has(usage.prompt_tokens_details)");
    expect(told(params, { ...USAGE, cachedTokens: 5 })).toEqual(cost(5));
    expect(told(params)).toBeUndefined();
  });

  const silent: readonly [string, object, Usage?, EndCause?][] = [
    ["0", paramsOf("usage.prompt_tokens * 0.0")],
    ["-1, as stock", paramsOf("-1")],
    ["nothing of a response without usage", paramsOf("usage.prompt_tokens"), { ...USAGE, promptTokens: -1 }],
    ["nothing where the condition is false", paramsOf("usage.prompt_tokens", "usage.prompt_tokens > 50")],
    ["nothing where the condition is no truth", paramsOf("usage.prompt_tokens", "usage.prompt_tokens")],
    ["nothing of a response that was broken off", paramsOf("usage.prompt_tokens"), USAGE, "client-disconnect"],
  ];
  it.each(silent)("tells %s", (_, params, usage, cause) => expect(told(params, usage, cause)).toBeUndefined());

  const failing = [
    ["usage.prompt_tokens + 1", "no such overload"],
    ["usage.non_existent_field", "No such key: non_existent_field"],
    ["'not a number'", 'found "not a number", expected a number'],
    ["usage", "found object, expected a number"],
    ["usage.prompt_tokens / 0.0", 'found "Infinity", expected a number'],
    ["0.0 / 0.0", 'found "NaN", expected a number'],
  ] as const;
  it.each(failing)("of %s tells the log once why there is no value: %s", (expression, why) => {
    const endpoints = poolOf([{}]);
    const plugin = make(requestAttributeReporter, paramsOf(expression), endpoints);
    const request = requestOf(endpoints);
    const end = (): void => plugin.requestEnded(request, "natural", USAGE);
    expect(end).toThrow(why);
    expect(end).not.toThrow();
    expect(request.responseMetadata).toBeUndefined();
  });

  it("tells the log of a few failures at most, however they differ", () => {
    const endpoints = poolOf([{}]);
    const expression = "usage.prompt_tokens_details.cached_tokens > 0 ? string(usage.prompt_tokens) : 'none'";
    const plugin = make(requestAttributeReporter, paramsOf(expression), endpoints);
    let failures = 0;
    for (let promptTokens = 0; promptTokens < 50; promptTokens++) {
      try {
        plugin.requestEnded(requestOf(endpoints), "natural", { ...USAGE, promptTokens, cachedTokens: 1 });
      } catch {
        failures++;
      }
    }
    expect(failures).toBe(8);
  });

  it("tells a whole number or nothing, whatever the server said it used", () => {
    const count = fc.oneof(fc.integer(), fc.constantFrom(-1, 0, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60, 0.5));
    fc.assert(
      fc.property(count, count, count, (promptTokens, completionTokens, cachedTokens) => {
        const endpoints = poolOf([{}]);
        const request = requestOf(endpoints);
        const plugin = make(requestAttributeReporter, paramsOf("usage.total_tokens * 3.5"), endpoints);
        try {
          plugin.requestEnded(request, "natural", { promptTokens, completionTokens, cachedTokens });
        } catch (error) {
          expect(String(error)).toContain("Cannot tell the value");
        }
        for (const value of request.responseMetadata?.get("envoy.lb")?.values() ?? []) {
          expect([Number.isInteger(value), value]).toEqual([true, Math.trunc(value)]);
        }
      }),
    );
  });
});

describe("parameters of request-attribute-reporter", () => {
  const key = { name: "x" };
  const refused: readonly (readonly [string, object, string])[] = [
    ["no attributes", {}, "attributes"],
    ["an empty list", { attributes: [] }, "exactly one attribute"],
    ["two attributes", { attributes: [1, 2].map(() => ({ key, expression: "1" })) }, "exactly one attribute"],
    ["no key", { attributes: [{ expression: "1" }] }, "attributes.0.key"],
    ["a key without a name", { attributes: [{ key: { name: "" }, expression: "1" }] }, "the name of the value"],
    ["no expression", { attributes: [{ key }] }, "attributes.0.expression"],
    ["an empty expression", { attributes: [{ key, expression: "" }] }, "a CEL expression over usage"],
    ["an expression cut short", { attributes: [{ key, expression: "1 +" }] }, "Unexpected token: EOF"],
    ["another variable", { attributes: [{ key, expression: "request.x" }] }, "Unknown variable: request"],
    ["a condition cut short", { attributes: [{ key, expression: "1", condition: "usage.a >" }] }, "condition"],
    ["a condition of blanks", { attributes: [{ key, expression: "1", condition: " " }] }, "condition"],
  ];
  it.each(refused)("are refused with %s", (_, params, why) => {
    const { error } = requestAttributeReporter.params.safeParse(params);
    expect(error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join()).toContain(why);
  });

  it("are warned of where they fail for a usual response", () => {
    const warned = (expression: string, condition = "") =>
      requestAttributeReporter.warnings!(requestAttributeReporter.params.parse(paramsOf(expression, condition)));
    expect(warned("usage.prompt_tokens", "usage.completion_tokens > 0")).toEqual([]);
    expect(warned("usage.prompt_tokens + 1\n", "usage.nothing")).toEqual([
      '"usage.prompt_tokens + 1" fails for a usual response: no such overload: dyn<double> + int',
      '"usage.nothing" fails for a usual response: No such key: nothing',
    ]);
  });
});

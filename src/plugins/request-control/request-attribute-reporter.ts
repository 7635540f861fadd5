import { z } from "zod";
import type { Usage } from "../../core/parser.ts";
import { definePlugin } from "../define.ts";
import { textOr } from "../params.ts";
import type { CompiledCel } from "./cel-expression.ts";
import { compileCel } from "./cel-expression.ts";

/** Different failures that are told, each once. */
const FAILURES_TOLD_MAX = 8;

/** Says what is wrong with an expression, at its place in the config. */
function checkCel(text: string, context: z.RefinementCtx): void {
  const compiled = compileCel(text);
  if (!compiled.ok) context.addIssue({ code: "custom", message: `a CEL expression over usage: ${compiled.problem}` });
}

const attribute = z.strictObject({
  key: z
    .strictObject({
      namespace: textOr("envoy.lb").describe("Namespace of the dynamic metadata."),
      name: z.string().min(1, "the name of the value").describe("Name of the value."),
    })
    .describe("Where Envoy finds the value."),
  expression: z.string().superRefine(checkCel).describe("CEL over `usage`: a number."),
  condition: z
    .string()
    .superRefine((text, context) => {
      if (text !== "") checkCel(text, context);
    })
    .default("")
    .describe("CEL over `usage`: whether the value is told; always without it."),
});

const params = z.strictObject({
  attributes: z
    .array(attribute)
    .refine((attributes) => attributes.length === 1, "exactly one attribute")
    .describe("What is told to Envoy when a response ends."),
});

/**
 * Tells Envoy a number about each response, as dynamic metadata with its last message: what the request cost, say.
 *
 * `expression` and `condition` are CEL over `usage`, which has `prompt_tokens`, `completion_tokens` and `total_tokens`
 * (their sum), 0 where the server did not say, and `prompt_tokens_details.cached_tokens` where it did. They are doubles:
 * `usage.prompt_tokens + 1.0`. The value is cut to a whole number; 0, -1 (as stock), what is no number, and whatever a
 * condition that is not `true` stands before, is not told. A failure is told in the log once. Calls are limited to
 * `has`, `size`, conversions, `contains`, `startsWith`, `endsWith` and loops two deep, so that an evaluation ends.
 * Source: requestcontrol/requestattributereporter.
 */
export const requestAttributeReporter = definePlugin(["requestControl"], {
  type: "request-attribute-reporter",
  params,
  example: `plugins:
  - type: request-attribute-reporter
    parameters:
      attributes:
        - key:
            name: x-gateway-inference-request-cost
          expression: usage.prompt_tokens + 3.0 * usage.completion_tokens
          condition: usage.completion_tokens > 0
  - type: queue-scorer
`,
  warnings: ({ attributes: [{ expression, condition }] }) =>
    [expression, condition].flatMap((text) => {
      const failure = text === "" ? undefined : failureOf(evaluatorOf(text));
      return failure ? `"${text.trim()}" fails for a usual response: ${failure}` : [];
    }),
  create: ({ attributes: [{ key, expression, condition }] }) => {
    const value = evaluatorOf(expression);
    const holds = condition === "" ? () => true : evaluatorOf(condition);
    const told = new Set<string>();
    return {
      requestEnded(request, cause, usage) {
        if (cause !== "natural") return;
        try {
          const counted = variableOf(usage);
          if (holds(counted) !== true) return;
          const number = wholeNumber(value(counted));
          if (number !== 0 && number !== -1) request.setResponseMetadata(key.namespace, key.name, number);
        } catch (error) {
          const failure = String(error);
          if (told.has(failure) || told.size >= FAILURES_TOLD_MAX) return;
          told.add(failure);
          throw error;
        }
      },
    };
  },
});

type Evaluate = Extract<CompiledCel, { readonly ok: true }>["evaluate"];

function evaluatorOf(text: string): Evaluate {
  const compiled = compileCel(text);
  if (!compiled.ok) throw new Error(`Cannot compile a CEL expression: ${compiled.problem}`);
  return compiled.evaluate;
}

const USUAL: Usage = { promptTokens: 100, completionTokens: 10, cachedTokens: 50 };

/** What goes wrong with the usage of a usual response; undefined when nothing does. */
function failureOf(evaluate: Evaluate): string | undefined {
  try {
    evaluate(variableOf(USUAL));
    return undefined;
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).split("\n", 1)[0];
  }
}

function variableOf(usage: Usage | undefined): Readonly<Record<string, unknown>> {
  const prompt = Math.max(0, usage?.promptTokens ?? 0);
  const completion = Math.max(0, usage?.completionTokens ?? 0);
  const cached = usage?.cachedTokens ?? -1;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    ...(cached >= 0 && { prompt_tokens_details: { cached_tokens: cached } }),
  };
}

/** Throws for what is no number, or none that can be told. */
function wholeNumber(value: unknown): number {
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number === "number" && Number.isFinite(number)) return Math.trunc(number);
  throw new Error(`Cannot tell the value of the expression: found ${shown(value)}, expected a number`);
}

const shown = (value: unknown): string =>
  typeof value === "number" || typeof value === "boolean" || typeof value === "string"
    ? JSON.stringify(String(value).slice(0, 100))
    : typeof value;

import { describe, expect, it } from "vitest";
import { compileCel } from "./cel-expression.ts";

const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

function valueOf(text: string): unknown {
  const compiled = compileCel(text);
  if (!compiled.ok) throw new Error(`Cannot compile ${text}: ${compiled.problem}`);
  return compiled.evaluate(USAGE);
}

const ones = (count: number) => `[${Array.from({ length: count }, () => "1").join(",")}]`;

describe("a CEL expression over usage", () => {
  const values: readonly (readonly [string, unknown])[] = [
    ["usage.prompt_tokens", 11],
    ["usage.prompt_tokens + usage.completion_tokens\n", 18],
    ['usage["prompt_tokens"] * 2.5', 27.5],
    ["int(usage.prompt_tokens) * 2", 22n],
    ["usage.prompt_tokens > 10 ? usage.prompt_tokens : 0.0", 11],
    ["usage.prompt_tokens > 10 && usage.completion_tokens == 7", true],
    ["has(usage.prompt_tokens) && !has(usage.nothing)", true],
    ["usage.prompt_tokens / 0.0", Number.POSITIVE_INFINITY],
    ["[usage.prompt_tokens, usage.completion_tokens].all(n, n > 0)", true],
    ["usage.map(key, usage[key]).size()", 3n],
    ['string(usage.prompt_tokens).startsWith("1")', true],
    ["'not a number'", "not a number"],
  ];
  it.each(values)("%s is %s", (text, value) => expect(valueOf(text)).toEqual(value));

  // As in the stock EPP, whose numbers of usage are doubles, too.
  const failing = ["usage.prompt_tokens + 1", "usage.nothing", "1 / 0", "(has(usage.x) ? usage.x : 0) + 1.0"];
  it.each(failing)("%s fails when it is evaluated", (text) => expect(() => valueOf(text)).toThrow());

  const refused: readonly (readonly [string, string])[] = [
    ["", "Unexpected token: EOF"],
    ["1 +", "Unexpected token: EOF"],
    ["usage.prompt_tokens + -", "Unexpected token: EOF"],
    ["usages.prompt_tokens", "Unknown variable: usages"],
    ['1 + "a"', "no such overload: int + string"],
    ["usage.prompt_tokens > 5 ? 1 : 0.5", "Ternary branches must have the same type"],
    ['"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!".matches("(a+)+$")', 'no function "matches" here'],
    ["cel.bind(a, usage, a.prompt_tokens)", 'no function "bind" here'],
    ['timestamp("2020-01-01T00:00:00Z")', 'no function "timestamp" here'],
    ["max(1, 2)", 'no function "max" here'],
    ["[1].all(a, [1].all(b, [1].all(c, true)))", "loops more than 2 deep"],
    [ones(300), "Exceeded"],
    [`${"(".repeat(60)}1${")".repeat(60)}`, "Exceeded"],
    [`1${" ".repeat(5000)}`, "more than 4096 characters"],
  ];
  it.each(refused)("refuses %s: %s", (text, problem) => {
    const compiled = compileCel(text);
    expect(compiled.ok ? "compiles" : compiled.problem).toContain(problem);
  });

  it("ends with the most work that its limits allow", () => {
    const loops = `${ones(70)}.map(a, ${ones(70)}.map(b, ${ones(50)} + ${ones(40)})).size()`;
    expect(valueOf(loops)).toBe(70n);
  });
});

import { isLabelKey, isLabelValue, type Labels } from "./label-selector.ts";

/** Longest text of a selector in characters. */
const SELECTOR_CHARACTERS_MAX = 4096;

type Operator = "=" | "!=" | "in" | "notin" | "exists" | "!" | ">" | "<";

/** One condition of a selector. */
interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

/** A label selector as a predicate over labels. */
export type SelectsLabels = (labels: Labels) => boolean;

/** What is wrong in a text that is no selector. */
export interface SelectorFailure {
  readonly failed: string;
}

/**
 * Reads a label selector in Kubernetes' text form: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`,
 * `a>1`, `a<1`, joined by commas; "" selects everything. Source: labels.Parse of Kubernetes' apimachinery.
 */
export function parseLabelSelector(text: string): SelectsLabels | SelectorFailure {
  if (text.length > SELECTOR_CHARACTERS_MAX) {
    return { failed: `found ${text.length} characters, expected at most ${SELECTOR_CHARACTERS_MAX}` };
  }
  try {
    const requirements = new SelectorReader(text).read();
    return (labels) => requirements.every((requirement) => holds(requirement, labels));
  } catch (error) {
    if (error instanceof SelectorSyntaxError) return { failed: error.message };
    throw error;
  }
}

class SelectorSyntaxError extends Error {}

const INTEGER = /^[+-]?\d{1,18}$/;

const HOLDS: Readonly<Record<Operator, (value: string | undefined, values: readonly string[]) => boolean>> = {
  "=": (value, values) => value !== undefined && values.includes(value),
  in: (value, values) => value !== undefined && values.includes(value),
  "!=": (value, values) => value === undefined || !values.includes(value),
  notin: (value, values) => value === undefined || !values.includes(value),
  exists: (value) => value !== undefined,
  "!": (value) => value === undefined,
  ">": (value, [bound]) => value !== undefined && INTEGER.test(value) && BigInt(value) > BigInt(bound),
  "<": (value, [bound]) => value !== undefined && INTEGER.test(value) && BigInt(value) < BigInt(bound),
};

function holds({ key, operator, values }: Requirement, labels: Labels): boolean {
  return HOLDS[operator](Object.hasOwn(labels, key) ? labels[key] : undefined, values);
}

const TOKEN = /\s*(==|!=|[=!<>(),]|[^\s=!<>(),]+)/y;

class SelectorReader {
  readonly #tokens: string[] = [];
  #at = 0;

  constructor(text: string) {
    TOKEN.lastIndex = 0;
    for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) this.#tokens.push(match[1]);
  }

  read(): readonly Requirement[] {
    const requirements: Requirement[] = [];
    if (this.#tokens.length === 0) return requirements;
    do requirements.push(this.#requirement());
    while (this.#takes(","));
    if (this.#at < this.#tokens.length) throw this.#unexpected("a comma or the end");
    return requirements;
  }

  #requirement(): Requirement {
    if (this.#takes("!")) return { key: this.#key(), operator: "!", values: [] };
    const key = this.#key();
    const operator = this.#tokens[this.#at];
    if (operator === undefined || operator === ",") return { key, operator: "exists", values: [] };
    this.#at++;
    switch (operator) {
      case "=":
      case "==":
        return { key, operator: "=", values: [this.#value()] };
      case "!=":
        return { key, operator, values: [this.#value()] };
      case "in":
      case "notin":
        return { key, operator, values: this.#values() };
      case ">":
      case "<":
        return { key, operator, values: [this.#integer()] };
      default:
        this.#at--;
        throw this.#unexpected("=, ==, !=, in, notin, > or <");
    }
  }

  #key(): string {
    const key = this.#tokens[this.#at];
    if (key === undefined || !isLabelKey(key)) throw this.#unexpected("the key of a label");
    this.#at++;
    return key;
  }

  /** A value, or "" where none stands. */
  #value(): string {
    const value = this.#tokens[this.#at];
    if (value === undefined || value === "," || value === ")") return "";
    if (!isLabelValue(value)) throw this.#unexpected("the value of a label");
    this.#at++;
    return value;
  }

  #values(): readonly string[] {
    if (!this.#takes("(")) throw this.#unexpected("(");
    if (this.#tokens[this.#at] === ")") throw this.#unexpected("a value");
    const values: string[] = [];
    do values.push(this.#value());
    while (this.#takes(","));
    if (!this.#takes(")")) throw this.#unexpected(")");
    return values;
  }

  #integer(): string {
    const value = this.#tokens[this.#at];
    if (value === undefined || !INTEGER.test(value)) throw this.#unexpected("a whole number");
    this.#at++;
    return value;
  }

  #takes(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false;
    this.#at++;
    return true;
  }

  #unexpected(expected: string): SelectorSyntaxError {
    const token = this.#tokens[this.#at];
    return new SelectorSyntaxError(
      `found ${token === undefined ? "the end" : JSON.stringify(token)}, expected ${expected}`,
    );
  }
}

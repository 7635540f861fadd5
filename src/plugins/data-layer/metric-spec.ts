import type { SeriesSelector } from "./page-series.ts";

/** Which series a config means: `name{label=value,label2="v"}`. */
export interface MetricSpec {
  readonly name: string;
  /** Labels that the series must have. */
  readonly labels: ReadonlyMap<string, string>;
}

const NAME = /[A-Za-z_:][A-Za-z0-9_:]*/y;
const LABEL = /[A-Za-z_][A-Za-z0-9_]*/y;
const OPERATOR = /=~|!~|!=|=/y;
const QUOTED = /"((?:[^"\\\n]|\\.)*)"/y;
const BARE = /[^",}\s]+/y;
const BLANKS = /\s*/y;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "\\": "\\", '"': '"', "'": "'" };

/**
 * Reads a metric specification, with or without quotes around label values. Returns what is wrong with it when it is none.
 * As stock, `!=` and `!~` are taken and mean nothing, and labels that begin with `__` are left out.
 */
export function parseMetricSpec(text: string): MetricSpec | string {
  const reader = new SpecReader(text);
  const name = reader.take(NAME);
  if (name === undefined) return reader.error("a metric name");
  const labels = new Map<string, string>();
  if (!reader.takeChar("{")) return reader.ended() ? { name, labels } : reader.error("{ or the end");
  while (!reader.takeChar("}")) {
    const label = reader.take(LABEL);
    if (label === undefined) return reader.error("a label name or }");
    const operator = reader.take(OPERATOR);
    if (operator === undefined || operator === "=~") return reader.error("=");
    const value = reader.value();
    if (value === undefined) return reader.error("a label value");
    if (operator === "=" && !label.startsWith("__")) labels.set(label, value);
    if (!reader.takeChar(",") && !reader.sees("}")) return reader.error(", or }");
  }
  return reader.ended() ? { name, labels } : reader.error("the end");
}

/** The series that a specification means. Throws when it is none. */
export function selectorOf(
  spec: string,
  choose: SeriesSelector["choose"] = "latest",
  keep: readonly string[] = [],
): SeriesSelector {
  const parsed = parseMetricSpec(spec);
  if (typeof parsed === "string")
    throw new Error(`Cannot read the metric specification ${JSON.stringify(spec)}: ${parsed}`);
  return { ...parsed, choose, keep };
}

class SpecReader {
  #at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  take(pattern: RegExp): string | undefined {
    this.#skipBlanks();
    const found = this.#match(pattern);
    if (!found) return undefined;
    this.#at += found[0].length;
    return found[0];
  }

  takeChar(char: string): boolean {
    if (!this.sees(char)) return false;
    this.#at++;
    return true;
  }

  sees(char: string): boolean {
    this.#skipBlanks();
    return this.#text[this.#at] === char;
  }

  value(): string | undefined {
    if (!this.sees('"')) return this.take(BARE);
    const quoted = this.take(QUOTED);
    return quoted?.slice(1, -1).replace(/\\(.)/g, (_, char: string) => ESCAPES[char] ?? char);
  }

  ended(): boolean {
    this.#skipBlanks();
    return this.#at === this.#text.length;
  }

  error(wanted: string): string {
    this.#skipBlanks();
    const rest = this.#text.slice(this.#at, this.#at + 20);
    const found = rest === "" ? "the end" : JSON.stringify(rest);
    return `found ${found} where ${wanted} should be`;
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text);
  }

  #skipBlanks(): void {
    this.#at += this.#match(BLANKS)?.[0].length ?? 0;
  }
}

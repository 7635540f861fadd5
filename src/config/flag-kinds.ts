import type { Micros } from "../core/env.ts";
import { parseGoDuration } from "../plugins/go-duration.ts";
import { parseByteSize } from "./quantity.ts";

/** One flag of a command line: its name, what it takes, what it is without it. */
export interface Flag<T> {
  readonly name: string;
  /** One-letter form. */
  readonly short?: string;
  readonly help: string;
  /** What stands for the value in help; "" for a switch. */
  readonly placeholder: string;
  readonly default: T;
  readonly defaultText: string;
  /** Value of the flag when it stands alone (`--flag`); without one it takes the next argument. */
  readonly alone?: T;
  /** Reads a value; undefined when it is none. `before`: what an earlier use of the flag gave. */
  parse(text: string, before: T | undefined): T | undefined;
  /** What `parse` takes, in words. */
  readonly expects: string;
  /** Whether stock reads a value that `parse` refuses and ends later because of it: exit status 1 in place of 2. */
  readonly refusedLater?: (text: string) => boolean;
}

type Options<T> = Partial<Pick<Flag<T>, "short" | "defaultText" | "placeholder" | "refusedLater">>;

function flag<T>(name: string, base: Omit<Flag<T>, "name" | "defaultText">, options: Options<T>): Flag<T> {
  const text = typeof base.default === "string" || typeof base.default === "number" ? String(base.default) : "";
  return { name, ...base, defaultText: text, ...options };
}

const BOOL: ReadonlyMap<string, boolean> = new Map([
  ...["1", "t", "T", "TRUE", "true", "True"].map((word) => [word, true] as const),
  ...["0", "f", "F", "FALSE", "false", "False"].map((word) => [word, false] as const),
]);

/** True or false as Go's strconv.ParseBool; alone it means true. */
export const bool = (name: string, value: boolean, help: string): Flag<boolean> =>
  flag(
    name,
    {
      help,
      default: value,
      placeholder: "",
      alone: true,
      expects: "true or false",
      parse: (given) => BOOL.get(given),
    },
    { defaultText: String(value) },
  );

/** A text. */
export const text = (name: string, value: string, help: string, options: Options<string> = {}): Flag<string> =>
  flag(name, { help, default: value, placeholder: "TEXT", expects: "a text", parse: (given) => given }, options);

/** One of some words, in any case. `value` is what it is without the flag, one of them or "". */
export const choice = <const T extends string, const D extends string = T>(
  name: string,
  words: readonly T[],
  value: D,
  help: string,
  options: Options<T | D> = {},
): Flag<T | D> =>
  flag<T | D>(
    name,
    {
      help,
      default: value,
      placeholder: words.filter(Boolean).join("|"),
      expects: `one of ${words.filter(Boolean).join(", ")}`,
      parse: (given) => words.find((word) => word.toLowerCase() === given.toLowerCase()),
    },
    options,
  );

const INT_MAX = Number.MAX_SAFE_INTEGER;

/** A whole number within bounds, as Go reads it: decimal, 0x, 0o, 0b, with _ between digits. */
export const int = (
  name: string,
  value: number,
  help: string,
  { min = -INT_MAX, max = INT_MAX, ...options }: Options<number> & { min?: number; max?: number } = {},
): Flag<number> =>
  flag(
    name,
    {
      help,
      default: value,
      placeholder: "N",
      expects: max === INT_MAX ? "a whole number" : `a whole number from ${min} to ${max}`,
      parse: (given) => {
        const parsed = parseInteger(given);
        return parsed !== undefined && parsed >= min && parsed <= max ? parsed : undefined;
      },
      refusedLater: (given) => parseInteger(given) !== undefined,
    },
    options,
  );

export const PORT_MAX = 65_535;
export const port = (name: string, value: number, help: string): Flag<number> =>
  int(name, value, help, { min: 0, max: PORT_MAX, placeholder: "PORT" });

/** A Go duration, in microseconds. */
export const duration = (name: string, value: string, help: string): Flag<Micros> =>
  flag(
    name,
    {
      help,
      default: parseGoDuration(value)!,
      placeholder: "DURATION",
      expects: 'a duration such as "200ms" or "1m30s"',
      parse: parseGoDuration,
    },
    { defaultText: value },
  );

/**
 * A size in bytes: `10485760`, `10MiB`, `25MB`, `256Mi`; not below 1. With "" for a default, 0 and "" mean that default.
 * Stock takes it as a text and reads it later.
 */
export const bytes = (name: string, value: string, help: string): Flag<number> =>
  flag(
    name,
    {
      help,
      default: parseByteSize(value) ?? 0,
      placeholder: "BYTES",
      expects: 'a size above 0 such as 10485760, "10MiB" or "25MB"',
      parse: (given) => {
        const size = value === "" && given === "" ? 0 : parseByteSize(given.trim());
        return size !== undefined && (size > 0 || (size === 0 && value === "")) ? size : undefined;
      },
      refusedLater: () => true,
    },
    { defaultText: value },
  );

/** Words separated by commas; the flag may come again. */
export const words = (name: string, help: string): Flag<readonly string[]> =>
  flag<readonly string[]>(
    name,
    {
      help,
      default: [],
      placeholder: "A,B",
      expects: "words separated by commas",
      parse: (given, before = []) => [...before, ...given.split(",").filter(Boolean)],
    },
    {},
  );

/** Whole numbers separated by commas; the flag may come again; each counts once. */
export const ports = (name: string, help: string): Flag<readonly number[]> =>
  flag<readonly number[]>(
    name,
    {
      help,
      default: [],
      placeholder: "PORT,PORT",
      expects: "ports separated by commas",
      parse: (given, before = []) => {
        const parsed = given.split(",").map(parseInteger);
        return parsed.includes(undefined) ? undefined : [...new Set([...before, ...(parsed as number[])])];
      },
    },
    {},
  );

/** A text of a certain form. */
export const formed = (
  name: string,
  help: string,
  placeholder: string,
  form: { readonly expects: string; readonly matches: (text: string) => boolean },
): Flag<string> =>
  flag(
    name,
    {
      help,
      default: "",
      placeholder,
      expects: form.expects,
      parse: (given) => (form.matches(given) ? given : undefined),
    },
    {},
  );

function parseInteger(given: string): number | undefined {
  const match = /^([+-]?)(0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*)$/.exec(given);
  if (!match || /__|_$/.test(given)) return undefined;
  const digits = match[2].replaceAll("_", "");
  // As Go: a leading 0 alone means octal.
  const value = /^0[0-9]/.test(digits)
    ? /^[0-7]+$/.test(digits)
      ? Number(`0o${digits.slice(1)}`)
      : Number.NaN
    : Number(digits);
  return Number.isSafeInteger(value) ? (match[1] === "-" ? -value || 0 : value) : undefined;
}

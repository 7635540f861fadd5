import { didYouMean } from "./did-you-mean.ts";
import { checkEppFlags } from "./epp-flag-checks.ts";
import { EPP_FLAG_GROUPS, REFUSED_METRIC_FLAGS } from "./epp-flag-table.ts";
import type { Flag } from "./flag-kinds.ts";

type Groups = typeof EPP_FLAG_GROUPS;
type UnionToIntersection<U> = (U extends unknown ? (value: U) => void : never) extends (value: infer I) => void
  ? I
  : never;
type Table = UnionToIntersection<Groups[keyof Groups]>;

/** The values of all flags, those not given by their defaults. Durations in microseconds, sizes in bytes (0: default). */
export type EppFlags = { readonly [K in keyof Table]: Table[K] extends Flag<infer T> ? T : never };

export type ParsedEppFlags =
  | { readonly ok: true; readonly flags: EppFlags; readonly warnings: readonly string[] }
  /** Exit status: 2 for a flag that does not exist or a value that it can't have, 1 for flags that do not go together. */
  | { readonly ok: false; readonly errors: readonly string[]; readonly exitCode: 1 | 2 };

const TABLE = Object.assign({}, ...Object.values(EPP_FLAG_GROUPS)) as Readonly<Record<string, Flag<unknown>>>;
const BY_NAME = new Map(Object.entries(TABLE).map(([key, flag]) => [flag.name, { key, flag }]));
const BY_SHORT = new Map(
  [...BY_NAME.values()].flatMap((known) => (known.flag.short ? [[known.flag.short, known]] : [])),
);

/**
 * Reads the arguments of `epp` as the stock EPP does (pflag): `--name value`, `--name=value`, a switch without a value
 * is true and takes none behind a space, the last use counts, other arguments are passed over, empty ones too, and
 * `--` ends the flags. All errors at once.
 */
export function parseEppFlags(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ParsedEppFlags {
  const parser = new FlagParser(argv);
  parser.run();
  if (parser.errors.length > 0) return { ok: false, errors: parser.errors, exitCode: 2 };
  const flags = Object.fromEntries(
    Object.entries(TABLE).map(([key, flag]) => [key, parser.values[key] ?? flag.default]),
  );
  return checkEppFlags(flags as unknown as EppFlags, parser.refused, env);
}

class FlagParser {
  readonly errors: string[] = [];
  readonly values: Record<string, unknown> = {};
  /** Refused metric flags that were set. */
  readonly refused: string[] = [];
  readonly #argv: readonly string[];
  #at = 0;

  constructor(argv: readonly string[]) {
    this.#argv = argv;
  }

  run(): void {
    for (; this.#at < this.#argv.length; this.#at++) {
      const argument = this.#argv[this.#at];
      if (argument === "--") return;
      if (argument.startsWith("--")) this.#long(argument);
      else if (argument.startsWith("-") && argument.length > 1) this.#short(argument);
    }
  }

  #long(argument: string): void {
    const equals = argument.indexOf("=");
    const name = argument.slice(2, equals < 0 ? undefined : equals);
    const value = equals < 0 ? undefined : argument.slice(equals + 1);
    const known = BY_NAME.get(name);
    if (known) this.#set(known, `--${name}`, value);
    else if (REFUSED_METRIC_FLAGS.includes(name)) {
      this.refused.push(name);
      if (value === undefined) this.#at++;
    } else this.#unknown(`--${name}`, name);
  }

  /** `-v=4`, `-v 4`, `-v4`. */
  #short(argument: string): void {
    const known = BY_SHORT.get(argument[1]);
    if (!known) {
      this.#unknown(argument.split("=")[0], argument.slice(1).split("=")[0]);
      return;
    }
    const rest = argument.slice(2);
    this.#set(known, `-${argument[1]}`, rest === "" ? undefined : rest.replace(/^=/, ""));
  }

  #set({ key, flag }: { key: string; flag: Flag<unknown> }, shown: string, given: string | undefined): void {
    if (given === undefined && flag.alone !== undefined) {
      this.values[key] = flag.alone;
      return;
    }
    const value = given ?? this.#argv[++this.#at];
    const parsed = value === undefined ? undefined : flag.parse(value, this.values[key]);
    const found = value === undefined ? "nothing" : JSON.stringify(value);
    if (parsed === undefined) this.errors.push(`Cannot use flag ${shown}: found ${found}, expected ${flag.expects}`);
    else this.values[key] = parsed;
  }

  #unknown(shown: string, name: string): void {
    const near = didYouMean(name.replaceAll(/([A-Z])/g, "-$1").toLowerCase(), BY_NAME.keys());
    this.errors.push(`Cannot use flag ${shown}: no such flag${near ? `; did you mean --${near}?` : ""}`);
  }
}

/** Help: what the command is for, every flag by its group, examples. */
export function eppHelp(): string {
  const groups = Object.entries(EPP_FLAG_GROUPS).map(([title, flags]) => {
    return `${title}\n${Object.values(flags as Record<string, Flag<unknown>>)
      .map(helpLine)
      .join("\n")}`;
  });
  return `warmpath epp [flags]

The Endpoint Picker: answers Envoy over ext_proc with the pod that should serve a request. It takes the stock EPP's
arguments: --name value or --name=value; a switch takes its value behind = only.

${groups.join("\n\n")}

Examples
  warmpath epp --pool-name pool --config-file config.yaml --secure-serving=false
  warmpath epp --pool-name pool --config-file config.yaml --record-events run.jsonl --seed 7
`;
}

function helpLine({ name, short, placeholder, defaultText, help }: Flag<unknown>): string {
  const left = `  ${short ? `-${short}, ` : ""}--${name}${placeholder === "" ? "" : ` ${placeholder}`}`;
  const shown = defaultText === "" || defaultText === "false" ? "" : ` (default ${defaultText})`;
  return `${left}\n        ${help}${shown}`;
}

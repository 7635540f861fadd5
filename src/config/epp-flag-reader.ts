import type { KnownFlag } from "./epp-flag-names.ts";
import { flagByShort, flagHint, flagOfAnyRelease, flagOfToday } from "./epp-flag-names.ts";
import { REFUSED_METRIC_FLAGS } from "./old-flags.ts";

/** What the arguments say, flag by flag. */
export interface ReadFlags {
  /** Values by key, of the flags that were set. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Older flags that become parameters of plugins, by name. */
  readonly translated: Readonly<Record<string, string | number | boolean>>;
  /** Flags that no release knows, each once. */
  readonly unknown: readonly string[];
  readonly warnings: readonly string[];
  /** What ends stock while it reads (exit status 2), and what ends it afterwards (1). */
  readonly errors: readonly string[];
  readonly laterErrors: readonly string[];
}

/** Most unknown flags and older spellings that are told one by one. */
const TOLD_FLAGS_MAX = 20;
const SHOWN_CHARS_MAX = 60;

/**
 * Reads arguments of any release: one dash or two, kebab-case or camelCase, a value behind `=` or a space, switches
 * alone. The last use counts. Nothing ends it but a value that its flag can't have.
 *
 * A flag that no release knows is passed over, with the argument behind it when that is its value: not empty, and no
 * flag itself, that is, not a dash and a letter. Other arguments are passed over anyway, so none can be lost by it; only
 * a value that looks like a flag (`--new-flag --tracing`) is read as one.
 */
export function readFlags(argv: readonly string[]): ReadFlags {
  const reader = new FlagReader(argv);
  reader.run((argument) => {
    const [, dashes, name, value] = FLAG.exec(argument) ?? [];
    if (name === undefined) reader.passOver(argument);
    else reader.any(dashes, name, value);
  });
  return reader;
}

/**
 * Reads arguments as today's stock does (pflag): `--name value`, `--name=value`, `-v4`. A name that it doesn't know is
 * an error, all of them at once; arguments that are no flags are passed over.
 */
export function readFlagsStrictly(argv: readonly string[]): ReadFlags {
  const reader = new FlagReader(argv);
  reader.run((argument) => {
    const [, dashes, name, value] = /^(--?)([^=]*)(?:=([^]*))?$/.exec(argument) ?? [];
    if (name === undefined || argument === "-") return;
    if (dashes === "--") reader.long(name, value);
    else reader.short(argument);
  });
  return reader;
}

const FLAG = /^(--?)([A-Za-z][\w.-]*)(?:=([^]*))?$/;

class FlagReader implements ReadFlags {
  readonly values: Record<string, unknown> = {};
  readonly translated: Record<string, string | number | boolean> = {};
  readonly errors: string[] = [];
  readonly laterErrors: string[] = [];
  readonly #argv: readonly string[];
  #at = 0;
  readonly #unknown = new Map<string, string>();
  /** Warnings by what they are about, so that each is told once. */
  readonly #told = new Map<string, string>();

  constructor(argv: readonly string[]) {
    this.#argv = argv;
  }

  get unknown(): readonly string[] {
    return [...this.#unknown.keys()];
  }

  get warnings(): readonly string[] {
    const unknown = [...this.#unknown.values()];
    const more = unknown.length - TOLD_FLAGS_MAX;
    return [
      ...unknown.slice(0, TOLD_FLAGS_MAX),
      ...(more > 0 ? [`UNKNOWN FLAGS: ${more} more are passed over`] : []),
      ...this.#told.values(),
    ];
  }

  run(read: (argument: string) => void): void {
    for (; this.#at < this.#argv.length; this.#at++) {
      const argument = this.#argv[this.#at];
      if (argument === "--") return;
      if (argument !== "") read(argument);
    }
  }

  /** A flag of any release. */
  any(dashes: string, name: string, value: string | undefined): void {
    const known = flagOfAnyRelease(name);
    const shown = `${dashes}${name}`;
    if (known) {
      if (shown !== `--${known.name}` && !(dashes === "-" && known.flag.short === name)) {
        this.#tell(shown, `${shown} is an older form of --${known.name}`);
      }
      this.#set(known, shown, value);
      return;
    }
    const short = dashes === "-" && value === undefined ? flagByShort(name[0]) : undefined;
    if (short && short.flag.parse(name.slice(1), undefined) !== undefined) {
      this.#set(short, `-${name[0]}`, name.slice(1));
    } else this.#skip(shown, name, value);
  }

  /** A flag of today. */
  long(name: string, value: string | undefined): void {
    const known = flagOfToday(name);
    if (known) this.#set(known, `--${name}`, value);
    else if (REFUSED_METRIC_FLAGS.includes(name)) {
      if (value === undefined) this.#at++;
      this.laterErrors.push(
        `Cannot use flag --${name}: metrics are named by engineConfigs of core-metrics-extractor in the config`,
      );
    } else this.#refuse(`--${name}`, name);
  }

  /** `-v=4`, `-v 4`, `-v4`. */
  short(argument: string): void {
    const known = flagByShort(argument[1]);
    const rest = argument.slice(2);
    if (known) this.#set(known, `-${argument[1]}`, rest === "" ? undefined : rest.replace(/^=/, ""));
    else this.#refuse(argument.split("=")[0], argument.slice(1).split("=")[0]);
  }

  /** An argument that belongs to no flag; it may hold anything, so it is told by its number alone. */
  passOver(argument: string): void {
    const number = this.#at + 1;
    const before = this.#argv[this.#at - 1] ?? "";
    const [, , name, value] = FLAG.exec(before) ?? [];
    const isSwitch = name !== undefined && value === undefined && flagOfAnyRelease(name)?.flag.alone !== undefined;
    const why =
      isSwitch && /^(true|false)$/i.test(argument)
        ? `a switch takes its value behind = only: ${before}=${argument}`
        : "it belongs to no flag";
    this.#tell(`argument ${number}`, `argument ${number} is passed over: ${why}`);
  }

  #set(known: KnownFlag, shown: string, given: string | undefined): void {
    const { flag } = known;
    if (given === undefined && flag.alone !== undefined) {
      this.#keep(known, shown, flag.alone);
      return;
    }
    const value = given ?? this.#argv[++this.#at];
    const before = "key" in known ? this.values[known.key] : undefined;
    const parsed = value === undefined ? undefined : flag.parse(value, before);
    if (parsed !== undefined) {
      this.#keep(known, shown, parsed);
      return;
    }
    const found = value === undefined ? "nothing" : JSON.stringify(cut(value));
    const error = `Cannot use flag ${shown}: found ${found}, expected ${flag.expects}`;
    if (value !== undefined && flag.refusedLater?.(value)) this.laterErrors.push(error);
    else this.errors.push(error);
  }

  #keep(known: KnownFlag, shown: string, value: unknown): void {
    if (known.kind === "retired") {
      if (value !== known.meant) this.#tell(`${known.name} retired`, `${shown} has no effect: ${known.why}`);
    } else if (known.kind === "translated") {
      this.#tell(`${known.name} translated`, `${shown} becomes ${known.becomes} in the config, where it belongs today`);
      if (value === known.unset) delete this.translated[known.name];
      else this.translated[known.name] = value as string | number | boolean;
    } else this.values[known.key] = value;
  }

  #skip(shown: string, name: string, value: string | undefined): void {
    const next = this.#argv.at(this.#at + 1);
    const hasValue = value === undefined && next !== undefined && next !== "" && next !== "--" && !FLAG.test(next);
    if (hasValue) this.#at++;
    const what = hasValue ? `, with its value (argument ${this.#at + 1}),` : "";
    const text = `UNKNOWN FLAG ${cut(shown)}${what} is passed over and changes nothing${flagHint(name)}`;
    if (!this.#unknown.has(name)) this.#unknown.set(name, text);
  }

  #refuse(shown: string, name: string): void {
    this.errors.push(`Cannot use flag ${cut(shown)}: no such flag${flagHint(name)}`);
  }

  #tell(about: string, text: string): void {
    if (this.#told.size < TOLD_FLAGS_MAX * 2) this.#told.set(about, text);
  }
}

const cut = (text: string): string => (text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}...` : text);

import { checkEppFlags } from "./epp-flag-checks.ts";
import type { FlagTable } from "./epp-flag-names.ts";
import { FLAG_DEFAULTS } from "./epp-flag-names.ts";
import { readFlags, readFlagsStrictly } from "./epp-flag-reader.ts";
import type { Flag } from "./flag-kinds.ts";

/** The values of all flags, those not given by their defaults. Durations in microseconds, sizes in bytes (0: default). */
export type EppFlags = { readonly [K in keyof FlagTable]: FlagTable[K] extends Flag<infer T> ? T : never } & {
  /** Older flags that become parameters of plugins: options of a `ConfigSource`, by name. */
  readonly translated: Readonly<Record<string, string | number | boolean>>;
};

export type ParsedEppFlags =
  | {
      readonly ok: true;
      readonly flags: EppFlags;
      readonly warnings: readonly string[];
      /** Flags that no release knows; each has a warning too. */
      readonly unknown: readonly string[];
    }
  /** Exit status as stock's: 2 for what can't be read, 1 for what is refused afterwards. */
  | { readonly ok: false; readonly errors: readonly string[]; readonly exitCode: 1 | 2 };

/**
 * Reads the arguments of `epp`, of any release (`spec/epp-core.md` 3.1, 3.2): what is old is taken with one warning,
 * what is unknown is passed over with one. With --strict-config they are read as today's stock does. All errors at once.
 */
export function parseEppFlags(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ParsedEppFlags {
  const anyRelease = readFlags(argv);
  const read = anyRelease.values.strictConfig === true ? readFlagsStrictly(argv) : anyRelease;
  if (read.errors.length > 0) return { ok: false, errors: [...read.errors, ...read.laterErrors], exitCode: 2 };
  const flags = { ...FLAG_DEFAULTS, ...read.values, translated: read.translated } as EppFlags;
  return checkEppFlags(flags, read, env);
}

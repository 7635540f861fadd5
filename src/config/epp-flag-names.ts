import { didYouMean } from "./did-you-mean.ts";
import { EPP_FLAG_GROUPS } from "./epp-flag-table.ts";
import type { Flag } from "./flag-kinds.ts";
import { OLD_FLAG_GROUP, RETIRED_FLAGS, TRANSLATED_FLAGS } from "./old-flags.ts";

type Groups = typeof EPP_FLAG_GROUPS;
type UnionToIntersection<U> = (U extends unknown ? (value: U) => void : never) extends (value: infer I) => void
  ? I
  : never;
/** All flags that have a value of their own, by its key. */
export type FlagTable = UnionToIntersection<Groups[keyof Groups]> & typeof OLD_FLAG_GROUP;

/** A flag found by what was written for it. */
export type KnownFlag = {
  readonly flag: Flag<unknown>;
  /** Its newest name. */
  readonly name: string;
} & (
  | { readonly kind: "today" | "old"; readonly key: string }
  | { readonly kind: "translated"; readonly becomes: string; readonly unset: string | number | undefined }
  | { readonly kind: "retired"; readonly why: string; readonly meant: string | undefined }
);

const TODAY = Object.assign({}, ...Object.values(EPP_FLAG_GROUPS)) as Readonly<Record<string, Flag<unknown>>>;
const OLD: Readonly<Record<string, Flag<unknown>>> = OLD_FLAG_GROUP;

/** Default of every flag, by key. */
export const FLAG_DEFAULTS: Readonly<Record<string, unknown>> = Object.fromEntries(
  [...Object.entries(TODAY), ...Object.entries(OLD)].map(([key, flag]) => [key, flag.default]),
);

const BY_NAME: ReadonlyMap<string, KnownFlag> = new Map<string, KnownFlag>([
  ...entries(TODAY, "today"),
  ...entries(OLD, "old"),
  ...[...TRANSLATED_FLAGS].map(([name, { flag, becomes, unset }]): [string, KnownFlag] => [
    name,
    { kind: "translated", name, flag, becomes, unset },
  ]),
  ...[...RETIRED_FLAGS].map(([name, { flag, why, meant }]): [string, KnownFlag] => [
    name,
    { kind: "retired", name, flag, why, meant },
  ]),
]);
const TODAY_NAMES: readonly string[] = Object.values(TODAY).map(({ name }) => name);
const BY_SHORT: ReadonlyMap<string, KnownFlag> = new Map(
  [...BY_NAME.values()].flatMap((known) => (known.flag.short ? [[known.flag.short, known]] : [])),
);

/** The flag of a one-letter form. */
export const flagByShort = (letter: string): KnownFlag | undefined => BY_SHORT.get(letter);

/** The flag of a name as today's stock has it: kebab-case, nothing old but kept. */
export function flagOfToday(name: string): KnownFlag | undefined {
  const known = BY_NAME.get(name);
  return known?.kind === "today" ? known : undefined;
}

/** The flag of a name of any release: kebab-case, or the camelCase of it. */
export function flagOfAnyRelease(name: string): KnownFlag | undefined {
  return BY_NAME.get(name) ?? (name.length > 1 ? BY_NAME.get(kebabCase(name)) : undefined);
}

/** `; did you mean --x?`, or nothing when no flag of today is near. */
export function flagHint(name: string): string {
  const near = name.length > 1 ? didYouMean(kebabCase(name), TODAY_NAMES) : undefined;
  return near === undefined ? "" : `; did you mean --${near}?`;
}

/** `grpcPort` and `GrpcPort` are `grpc-port`. */
function kebabCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replace(/^-/, "");
}

function entries(table: Readonly<Record<string, Flag<unknown>>>, kind: "today" | "old"): [string, KnownFlag][] {
  return Object.entries(table).map(([key, flag]) => [flag.name, { kind, key, name: flag.name, flag }]);
}

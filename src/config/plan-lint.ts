import type { Blueprint } from "./blueprint.ts";
import { readDocument } from "./config-document.ts";
import type { ConfigProblem } from "./config-error.ts";
import { ProblemList } from "./config-error.ts";
import type { ConfigMap, ConfigPath } from "./config-node.ts";
import { pathText, placeOf } from "./config-node.ts";
import { unmatchedBlockSize } from "./plan-lint-blocks.ts";
import { signalNobodyBrings, unfedIndex, unreadProducer, unusedPlugin } from "./plan-lint-data.ts";
import { absentProfile, contradictingFilters, idleProfile } from "./plan-lint-profiles.ts";
import { duplicateScorer, idleWeight, negativeWeight, zeroWeight } from "./plan-lint-weights.ts";

/** What a lint looks at: the plan, and the profiles as they are written. */
export interface LintedPlan {
  readonly blueprint: Blueprint;
  readonly written: readonly WrittenProfile[];
}

/** A profile as the config writes it. */
export interface WrittenProfile {
  readonly name: string;
  readonly path: ConfigPath;
  readonly plugins: readonly {
    readonly pluginRef: string;
    readonly weight?: number | undefined;
    readonly path: ConfigPath;
  }[];
}

/** Something that a lint found: where, and what it means for the picks. */
export interface LintFinding {
  readonly path: ConfigPath;
  readonly text: string;
}

/** One thing that loads and can't work, or does nothing. Pure: all it finds in a plan. */
export interface Lint {
  /** Kebab-case; printed behind the finding. */
  readonly name: string;
  /** One line: what it finds. */
  readonly doc: string;
  readonly find: (plan: LintedPlan) => readonly LintFinding[];
}

/** A finding with its place, and the lint that made it. */
export interface LintWarning extends ConfigProblem {
  readonly lint: string;
}

/** Every lint, in the order of its name in a report. */
export const LINTS: readonly Lint[] = [
  signalNobodyBrings,
  unfedIndex,
  unreadProducer,
  unusedPlugin,
  zeroWeight,
  negativeWeight,
  idleWeight,
  duplicateScorer,
  contradictingFilters,
  idleProfile,
  absentProfile,
  unmatchedBlockSize,
];

/** All that the lints find in the plan of a config text, in the order of the text. */
export function lintPlan(text: string, blueprint: Blueprint): LintWarning[] {
  const document = readDocument(text, new ProblemList());
  if (!document) return [];
  const plan = { blueprint, written: document.profiles };
  const found = LINTS.flatMap(({ name, find }) => find(plan).map((finding) => placed(finding, name, document.root)));
  return found.toSorted((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
}

const placed = ({ path, text }: LintFinding, lint: string, root: ConfigMap): LintWarning => ({
  place: placeOf(root, path),
  path: pathText(path),
  text,
  lint,
});

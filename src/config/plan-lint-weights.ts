import type { LintedPlan, Lint, LintFinding, WrittenProfile } from "./plan-lint.ts";
import type { PluginEntry } from "./plugin-entry.ts";

/** A scorer in a profile, as written. */
interface WrittenScorer {
  readonly entry: PluginEntry;
  /** As written; undefined when it is left out, which means 1. */
  readonly weight: number | undefined;
  readonly path: readonly (string | number)[];
}

function scorersOf({ plugins }: WrittenProfile, { blueprint }: LintedPlan): WrittenScorer[] {
  return plugins.flatMap(({ pluginRef, weight, path }) => {
    const entry = blueprint.plugins.find(({ name }) => name === pluginRef);
    return entry?.definition.points.includes("scorer") ? [{ entry, weight, path }] : [];
  });
}

const inEachProfile =
  (find: (scorers: readonly WrittenScorer[]) => readonly LintFinding[]) =>
  (plan: LintedPlan): readonly LintFinding[] =>
    plan.written.flatMap((profile) => find(scorersOf(profile, plan)));

/** `weight: 0` */
export const zeroWeight: Lint = {
  name: "zero-weight",
  doc: "A scorer with weight 0: it is computed and counts for nothing.",
  find: inEachProfile((scorers) =>
    scorers
      .filter(({ weight }) => weight === 0)
      .map(({ entry, path }) => ({
        path: [...path, "weight"],
        text: `${entry.name} has weight 0: its score counts for nothing; leave it out`,
      })),
  ),
};

/** `weight: -1` */
export const negativeWeight: Lint = {
  name: "negative-weight",
  doc: "A scorer with a weight below 0: the endpoints that it finds best are picked last.",
  find: inEachProfile((scorers) =>
    scorers
      .filter(({ weight = 1 }) => weight < 0)
      .map(({ entry, weight, path }) => ({
        path: [...path, "weight"],
        text: `${entry.name} has weight ${weight}: the endpoints that it finds best are picked last`,
      })),
  ),
};

/** A weight that changes no pick: that of the only scorer, or the same one everywhere. */
export const idleWeight: Lint = {
  name: "idle-weight",
  doc: "A weight that changes nothing: the only scorer's, or the same one on all scorers.",
  find: inEachProfile((scorers) => {
    const counting = scorers.filter(({ weight = 1 }) => weight !== 0);
    const [first] = counting;
    if (!first?.weight || first.weight < 0 || first.weight === 1) return [];
    if (counting.some(({ weight }) => weight !== first.weight)) return [];
    const why =
      counting.length === 1
        ? `${first.entry.name} is the only scorer that counts`
        : `all ${counting.length} scorers have weight ${first.weight}`;
    return [{ path: [...first.path, "weight"], text: `the weight changes nothing: ${why}` }];
  }),
};

/** The same score twice in a profile. */
export const duplicateScorer: Lint = {
  name: "duplicate-scorer",
  doc: "Two scorers of one type with the same parameters in a profile: their weights add up.",
  find: inEachProfile((scorers) =>
    scorers.flatMap(({ entry, path }, i) => {
      const twin = scorers.slice(0, i).find((other) => sameScore(other.entry, entry));
      if (!twin) return [];
      return [{ path, text: `${entry.name} scores as ${twin.entry.name} does: the weights of both add up` }];
    }),
  ),
};

const sameScore = (a: PluginEntry, b: PluginEntry): boolean =>
  a.definition.type === b.definition.type && JSON.stringify(a.params) === JSON.stringify(b.params);

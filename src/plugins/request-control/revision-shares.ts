/** A pod that counts: one revision of a deployment, in one role. */
export interface RevisionPod {
  readonly revision: string;
  readonly role: string;
}

export type GatingMode = "sum" | "max-role";

/**
 * Shares of the requests by revision, which add up to 1; only of those that have a pod in each of the roles.
 *
 * `sum`: pods of the revision in the roles / all such pods. `max-role`: the same of one role alone, the one with the most
 * pods over these revisions, of equal ones the first in `roles`.
 */
export function revisionShares(
  pods: Iterable<RevisionPod>,
  roles: readonly string[],
  mode: GatingMode,
): ReadonlyMap<string, number> {
  const complete = [...countsByRevision(pods)].filter(([, counts]) => roles.every((role) => countOf(counts, role) > 0));
  const totalOf = (role: string) => complete.reduce((sum, [, counts]) => sum + countOf(counts, role), 0);
  const greatest = roles.reduce((best, role) => (totalOf(role) > totalOf(best) ? role : best));
  const measured = mode === "sum" ? roles : [greatest];
  const weights = complete.map(([revision, counts]) => {
    const weight = measured.reduce((sum, role) => sum + countOf(counts, role), 0);
    return [revision, weight] as const;
  });
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  return new Map(weights.map(([revision, weight]) => [revision, weight / total]));
}

/**
 * The revision that a draw from [0, 1) falls on, by the shares of `revisions` among themselves: revisions in the order of
 * their names, each as long as its share. "" when none has any.
 */
export function drawnRevision(
  shares: ReadonlyMap<string, number>,
  revisions: ReadonlySet<string>,
  draw: number,
): string {
  const present = [...revisions].filter((revision) => (shares.get(revision) ?? 0) > 0).toSorted();
  const total = present.reduce((sum, revision) => sum + shares.get(revision)!, 0);
  let sum = 0;
  for (const revision of present) {
    sum += shares.get(revision)!;
    if (draw * total < sum) return revision;
  }
  return present.at(-1) ?? "";
}

type Counts = ReadonlyMap<string, number>;

const countOf = (counts: Counts, role: string): number => counts.get(role) ?? 0;

function countsByRevision(pods: Iterable<RevisionPod>): ReadonlyMap<string, Counts> {
  const byRevision = new Map<string, Map<string, number>>();
  for (const { revision, role } of pods) {
    const counts = byRevision.get(revision) ?? new Map<string, number>();
    byRevision.set(revision, counts.set(role, countOf(counts, role) + 1));
  }
  return byRevision;
}
